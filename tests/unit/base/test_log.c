#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "base/units.h"

#define CAPTURE_SIZE 20000

/* stderr goes into a pipe during @body. */
static size_t captured(char *text, void (*body)(const void *), const void *argument)
{
	int saved = dup(STDERR_FILENO);
	int fds[2];
	ssize_t size;

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	dup2(fds[1], STDERR_FILENO);
	body(argument);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	size = read(fds[0], text, CAPTURE_SIZE - 1);
	close(fds[0]);
	assert_true(size >= 0);
	text[size] = '\0';
	return (size_t)size;
}

/* One line, one object; the caller owns it. */
static json_t *parsed_line(const char *text, size_t size)
{
	json_error_t reason;
	json_t *line;

	assert_true(size > 1 && text[size - 1] == '\n');
	assert_ptr_equal(memchr(text, '\n', size), text + size - 1);
	line = json_loadb(text, size - 1, JSON_REJECT_DUPLICATES, &reason);
	if (!line)
		fail_msg("%s in: %s", reason.text, text);
	return line;
}

static const char *field(json_t *line, const char *name)
{
	return json_string_value(json_object_get(line, name));
}

static void write_sealed(const void *argument)
{
	(void)argument;
	log_init("keeper", LOG_LEVEL_INFO);
	log_info("segment.sealed", "source", LOG_TEXT("orders"), "size", LOG_NUMBER(UINT64_MAX),
		 LOG_END);
}

static void a_line_is_one_object_with_its_fields(void **state)
{
	char text[CAPTURE_SIZE];
	json_t *line = parsed_line(text, captured(text, write_sealed, NULL));
	struct error err = {0};
	uint64_t usec;

	(void)state;
	assert_string_equal(field(line, "level"), "info");
	assert_string_equal(field(line, "program"), "keeper");
	assert_string_equal(field(line, "event"), "segment.sealed");
	assert_string_equal(field(line, "source"), "orders");
	assert_string_equal(field(line, "size"), "18446744073709551615");
	assert_ok(time_parse(field(line, "time"), &usec, &err), &err);
	assert_int_equal(json_object_size(line), 6);
	json_decref(line);
}

static void write_text(const void *argument)
{
	log_error("x.y", "text", LOG_TEXT(argument), LOG_END);
}

static void no_text_can_forge_a_line_or_move_a_terminal(void **state)
{
	char bytes[256];
	char text[CAPTURE_SIZE];
	size_t size;
	json_t *line;

	(void)state;
	for (int i = 0; i < 127; i++)
		bytes[i] = (char)(i + 1);
	bytes[127] = '\0';
	size = captured(text, write_text, bytes);
	for (size_t i = 0; i < size - 1; i++)
		assert_in_range((unsigned char)text[i], 0x20, 0x7e);
	line = parsed_line(text, size);
	assert_string_equal(field(line, "text"), bytes);
	json_decref(line);
	size = captured(text, write_text, "\"}\n{\"event\":\"forged\"}");
	line = parsed_line(text, size);
	assert_string_equal(field(line, "event"), "x.y");
	json_decref(line);
}

static void any_bytes_make_a_valid_line(void **state)
{
	unsigned seed = 5;

	(void)state;
	for (int i = 0; i < 300; i++) {
		char bytes[200];
		char text[CAPTURE_SIZE];
		size_t length = 1 + (size_t)rand_r(&seed) % 198;

		for (size_t j = 0; j < length; j++)
			bytes[j] = (char)(1 + rand_r(&seed) % 255);
		bytes[length] = '\0';
		json_decref(parsed_line(text, captured(text, write_text, bytes)));
	}
}

static void utf_8_is_kept(void **state)
{
	char text[CAPTURE_SIZE];
	json_t *line = parsed_line(
		text, captured(text, write_text, "a\xc3\xa4\xe2\x80\xa6\xf0\x9f\x94\x91z"));

	(void)state;
	assert_string_equal(field(line, "text"), "a\xc3\xa4\xe2\x80\xa6\xf0\x9f\x94\x91z");
	json_decref(line);
}

static void write_long(const void *argument)
{
	log_error("x.y", "text", LOG_TEXT(argument), "after", LOG_NUMBER(1), LOG_END);
}

static void an_oversize_line_is_cut_and_still_one_object(void **state)
{
	static const char *const units[] = {"a", "\n", "\"", "\xc3\xa4", "\xe2\x80\xa6"};
	char *bytes = calloc(1, 15001);
	char text[CAPTURE_SIZE];

	(void)state;
	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		for (size_t length = 600; length < 15000; length += length < 4200 ? 1 : 3000) {
			size_t unit = strlen(units[u]);
			size_t size;
			json_t *line;

			for (size_t i = 0; i < length; i++)
				bytes[i] = units[u][i % unit];
			bytes[length / unit * unit] = '\0';
			size = captured(text, write_long, bytes);
			assert_true(size <= 4096);
			line = parsed_line(text, size);
			assert_string_equal(field(line, "event"), "x.y");
			if (json_object_get(line, "text"))
				assert_memory_equal(bytes, field(line, "text"),
						    strlen(field(line, "text")));
			json_decref(line);
		}
	}
	free(bytes);
}

static void write_debug(const void *argument)
{
	(void)argument;
	log_init("t", LOG_LEVEL_WARNING);
	log_debug("x.debug", LOG_END);
	log_info("x.info", LOG_END);
	log_warning("x.warning", LOG_END);
	log_init("t", LOG_LEVEL_INFO);
}

static void levels_below_the_chosen_are_silent(void **state)
{
	char text[CAPTURE_SIZE];
	json_t *line = parsed_line(text, captured(text, write_debug, NULL));

	(void)state;
	assert_string_equal(field(line, "event"), "x.warning");
	json_decref(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_one_object_with_its_fields),
		cmocka_unit_test(no_text_can_forge_a_line_or_move_a_terminal),
		cmocka_unit_test(any_bytes_make_a_valid_line),
		cmocka_unit_test(utf_8_is_kept),
		cmocka_unit_test(an_oversize_line_is_cut_and_still_one_object),
		cmocka_unit_test(levels_below_the_chosen_are_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
