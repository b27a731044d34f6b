#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "command/commands.h"
#include "command/help.h"

/* The parser reorders argv: each call gets its own. */
static int parse(struct command_context *context, struct error *err, size_t count, ...)
{
	char texts[8][64];
	char *argv[9] = {NULL};
	va_list words;
	int result;

	va_start(words, count);
	for (size_t i = 0; i < count; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%s", va_arg(words, const char *));
		argv[i] = texts[i];
	}
	va_end(words);
	memset(context, 0, sizeof(*context));
	result = command_parse((int)count, argv, context, err);
	/* What is checked after the texts are gone is only whether it was there. */
	return result;
}

static void a_verb_is_found_before_and_behind_options(void **state)
{
	struct command_context context;
	struct error err = {0};

	(void)state;
	assert_ok(parse(&context, &err, 2, "binvault", "version"), &err);
	assert_string_equal(context.command->verb, "version");
	assert_string_equal(context.config_path, CONFIG_PATH_DEFAULT);
	assert_int_equal(context.output, COMMAND_OUTPUT_TEXT);
	assert_ok(parse(&context, &err, 4, "binvault", "--config", "x", "run"), &err);
	assert_string_equal(context.command->verb, "run");
	assert_ok(parse(&context, &err, 3, "binvault", "version", "--output=json"), &err);
	assert_int_equal(context.output, COMMAND_OUTPUT_JSON);
	assert_ok(parse(&context, &err, 3, "binvault", "help", "--man"), &err);
	assert_non_null(command_value(&context, "man"));
	assert_null(command_value(&context, "completion"));
	assert_ok(parse(&context, &err, 3, "binvault", "help", "run"), &err);
	assert_int_equal(context.argument_count, 1);
}

static void no_verb_is_help_and_help_works_everywhere(void **state)
{
	struct command_context context;
	struct error err = {0};

	(void)state;
	assert_ok(parse(&context, &err, 1, "binvault"), &err);
	assert_string_equal(context.command->verb, "help");
	assert_ok(parse(&context, &err, 2, "binvault", "--help"), &err);
	assert_string_equal(context.command->verb, "help");
	assert_ok(parse(&context, &err, 2, "binvault", "--version"), &err);
	assert_string_equal(context.command->verb, "version");
	assert_ok(parse(&context, &err, 4, "binvault", "run", "too", "--help"), &err);
	assert_true(context.help);
}

static void every_mistake_says_what_to_do(void **state)
{
	struct command_context context;
	struct error err = {0};

	(void)state;
	assert_fails(parse(&context, &err, 2, "binvault", "frobnicate"), &err, ERROR_USAGE,
		     "there is no verb 'frobnicate'. Do: binvault help");
	assert_fails(parse(&context, &err, 3, "binvault", "run", "x"), &err, ERROR_USAGE,
		     "usage: binvault run. Do: binvault run --help");
	assert_fails(parse(&context, &err, 3, "binvault", "run", "--output=json"), &err,
		     ERROR_USAGE, "unknown or ambiguous option '--output=json'");
	assert_fails(parse(&context, &err, 3, "binvault", "version", "--output"), &err, ERROR_USAGE,
		     "'--output'. Do: binvault version --help");
	assert_fails(parse(&context, &err, 3, "binvault", "help", "--man=x"), &err, ERROR_USAGE,
		     "'--man=x'. Do: binvault help --help");
	assert_fails(parse(&context, &err, 3, "binvault", "version", "--output=xml"), &err,
		     ERROR_USAGE, "--output=xml: it is text or json");
	assert_fails(parse(&context, &err, 3, "binvault", "version", "-x"), &err, ERROR_USAGE,
		     "unknown or ambiguous option '-x'");
}

static void an_option_that_must_be_given_is_asked_for(void **state)
{
	struct command_context context;
	const char *value = NULL;
	struct error err = {0};

	(void)state;
	assert_ok(parse(&context, &err, 5, "binvault", "config", "apply", "--owner=o", "--key="),
		  &err);
	assert_string_equal(context.command->verb, "config apply");
	assert_ok(command_required(&context, "owner", &value, &err), &err);
	assert_string_equal(value, "o");
	assert_fails(command_required(&context, "key", &value, &err), &err, ERROR_USAGE,
		     "--key is missing. Do: binvault config apply --help");
	assert_fails(command_required(&context, "directory", &value, &err), &err, ERROR_USAGE,
		     "--directory is missing");
}

static void the_configuration_is_loaded_once_with_its_hash(void **state)
{
	struct command_context context = {
		.config_path = "tests/fuzz/corpus/fuzz_config/whole.conf",
	};
	static const uint8_t zero[32];
	const struct config *config, *again;
	struct error err = {0};

	(void)state;
	assert_ok(command_config(&context, &config, &err), &err);
	assert_string_equal(config->name, "vault01");
	assert_memory_not_equal(config->hash, zero, sizeof(zero));
	assert_ok(command_config(&context, &again, &err), &err);
	assert_ptr_equal(config, again);
	command_release(&context);
	context.config_path = "/nonexistent";
	assert_fails(command_config(&context, &config, &err), &err, ERROR_USAGE, "'/nonexistent'");
}

static char *printed(void (*print)(FILE *))
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	print(out);
	fclose(out);
	return text;
}

static void manual_and_completion_name_every_verb(void **state)
{
	char *man = printed(help_man);
	char *completion = printed(help_completion);

	(void)state;
	for (const struct command *const *command = commands; *command; command++) {
		char words[64];

		assert_true((*command)->summary[0]);
		assert_true(!(*command)->run == !!(*command)->children);
		snprintf(words, sizeof(words), ".SS %s", (*command)->verb);
		assert_non_null(strstr(man, words));
		snprintf(words, sizeof(words), "\t\t%s)", (*command)->verb);
		assert_non_null(strstr(completion, words));
	}
	assert_non_null(strstr(man, ".SS source grants SOURCE\n"));
	assert_non_null(strstr(completion, "\t\t\tgrants) words=' --"));
	assert_non_null(strstr(completion, "|| words='test grants"));
	assert_non_null(strstr(man, "\\fBsegment\\-size\\fR"));
	free(man);
	free(completion);
}

static void print_run(FILE *out)
{
	help_verb(out, command_find("run"));
}

static void a_verb_of_two_words_is_found_by_both(void **state)
{
	struct command_context context;
	struct error err = {0};

	(void)state;
	assert_ok(parse(&context, &err, 4, "binvault", "source", "grants", "orders"), &err);
	assert_string_equal(context.command->verb, "source grants");
	assert_int_equal(context.argument_count, 1);
	assert_ok(
		parse(&context, &err, 6, "binvault", "source", "--config", "x", "grants", "orders"),
		&err);
	assert_string_equal(context.command->verb, "source grants");
	assert_ok(parse(&context, &err, 3, "binvault", "source", "--help"), &err);
	assert_true(context.help);
	assert_string_equal(context.command->verb, "source");
	assert_ok(parse(&context, &err, 4, "binvault", "help", "source", "grants"), &err);
	assert_int_equal(context.argument_count, 2);
	assert_fails(parse(&context, &err, 2, "binvault", "source"), &err, ERROR_USAGE,
		     "'source' needs a second word. Do: binvault source --help");
	assert_fails(parse(&context, &err, 3, "binvault", "source", "frobnicate"), &err,
		     ERROR_USAGE,
		     "there is no verb 'source frobnicate'. Do: binvault source --help");
	assert_fails(parse(&context, &err, 3, "binvault", "source", "grants"), &err, ERROR_USAGE,
		     "usage: binvault source grants SOURCE. Do: binvault source grants --help");
}

static void print_source(FILE *out)
{
	help_verb(out, command_find("source"));
}

static void help_shows_the_second_words(void **state)
{
	char *text = printed(print_source);

	(void)state;
	assert_non_null(strstr(text, "usage: binvault source VERB\n"));
	assert_non_null(strstr(text, "\n  test          "));
	free(text);
}

static void help_breaks_its_lines(void **state)
{
	char *text = printed(print_run);

	(void)state;
	assert_non_null(strstr(text, "usage: binvault run\n"));
	assert_non_null(strstr(text, "--config FILE"));
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 100);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verb_is_found_before_and_behind_options),
		cmocka_unit_test(no_verb_is_help_and_help_works_everywhere),
		cmocka_unit_test(every_mistake_says_what_to_do),
		cmocka_unit_test(an_option_that_must_be_given_is_asked_for),
		cmocka_unit_test(the_configuration_is_loaded_once_with_its_hash),
		cmocka_unit_test(manual_and_completion_name_every_verb),
		cmocka_unit_test(a_verb_of_two_words_is_found_by_both),
		cmocka_unit_test(help_shows_the_second_words),
		cmocka_unit_test(help_breaks_its_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
