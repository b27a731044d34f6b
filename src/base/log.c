#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/units.h"

#define LINE_SIZE     4096
#define LINE_END_SIZE 2 /* }\n */

/* Set once at start by the program's main, read ever after. */
static const char *log_program = "binvault";
static enum log_level log_level_max = LOG_LEVEL_INFO;

void log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_level_max = level;
}

struct line {
	char text[LINE_SIZE];
	size_t length;
};

/* All of @bytes or nothing; @reserve bytes stay free behind them. */
static bool put(struct line *line, const char *bytes, size_t size, size_t reserve)
{
	if (line->length + size + reserve > LINE_SIZE - LINE_END_SIZE)
		return false;
	memcpy(line->text + line->length, bytes, size);
	line->length += size;
	return true;
}

/* The size of the UTF-8 character at @at, 0 if there is none. A NUL ends the text: it is no
 * continuation, so nothing behind it is read. */
static size_t character_size(const unsigned char *at)
{
	unsigned second_min = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
	unsigned second_max = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
	size_t size = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

	if (size == 1)
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4 || at[1] < second_min || at[1] > second_max)
		return 0;
	for (size_t i = 2; i < size; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	return size;
}

/* One character as JSON and terminals can stand it; moves *at behind it. False if it is cut. */
static bool put_character(struct line *line, const unsigned char **at)
{
	const unsigned char *c = *at;
	size_t size = character_size(c);
	char escape[8];

	*at += MAX(size, (size_t)1);
	if (size == 0)
		return put(line, "\\ufffd", 6, 1);
	if (size == 1 && (*c == '"' || *c == '\\')) {
		snprintf(escape, sizeof(escape), "\\%c", *c);
		return put(line, escape, 2, 1);
	}
	if ((size == 1 && (*c < 0x20 || *c == 0x7f)) || (*c == 0xc2 && c[1] < 0xa0)) {
		snprintf(escape, sizeof(escape), "\\u%04x", size == 1 ? *c : c[1]);
		return put(line, escape, 6, 1);
	}
	return put(line, (const char *)c, size, 1);
}

/* A field whose name does not fit is left out, a text that does not is cut. */
static void put_field(struct line *line, const char *name, const char *text)
{
	const unsigned char *at = (const unsigned char *)(text ? text : "");
	char start[64];
	int size = snprintf(start, sizeof(start), "%s\"%.48s\":\"", line->length ? "," : "{", name);

	if (!put(line, start, (size_t)size, 1))
		return;
	while (*at && put_character(line, &at))
		;
	put(line, "\"", 1, 0);
}

void log_write(enum log_level level, const char *event, ...)
{
	static const char *const levels[] = {"error", "warning", "info", "debug"};
	struct line line = {.length = 0};
	struct timespec now;
	char text[TIME_TEXT_SIZE];
	va_list arguments;
	const char *name;

	if (level > log_level_max)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	time_format((uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC,
		    text);
	put_field(&line, "time", text);
	put_field(&line, "level", levels[level]);
	put_field(&line, "program", log_program);
	put_field(&line, "event", event);
	va_start(arguments, event);
	while ((name = va_arg(arguments, const char *))) {
		if (va_arg(arguments, int) == LOG_FIELD_TEXT) {
			put_field(&line, name, va_arg(arguments, const char *));
		} else {
			snprintf(text, sizeof(text), "%" PRIu64, va_arg(arguments, uint64_t));
			put_field(&line, name, text);
		}
	}
	va_end(arguments);
	memcpy(line.text + line.length, "}\n", LINE_END_SIZE);
	/* A log that cannot be written must not stop the vault. */
	if (write(STDERR_FILENO, line.text, line.length + LINE_END_SIZE) < 0)
		return;
}
