#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"

#define LINE_SIZE 4096

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

/* Room is always left for the closing `"}\n`; what does not fit is cut. */
static void put(struct line *line, char c)
{
	if (line->length < sizeof(line->text) - 4)
		line->text[line->length++] = c;
}

static void put_text(struct line *line, const char *text)
{
	static const char digits[] = "0123456789abcdef";

	put(line, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			put(line, '\\');
			put(line, (char)c);
		} else if (c < 0x20 || c == 0x7f) {
			for (const char *escape = "\\u00"; *escape; escape++)
				put(line, *escape);
			put(line, digits[c >> 4]);
			put(line, digits[c & 15]);
		} else {
			put(line, (char)c);
		}
	}
	put(line, '"');
}

static void put_field(struct line *line, const char *name, const char *text)
{
	put(line, line->length ? ',' : '{');
	put_text(line, name);
	put(line, ':');
	put_text(line, text);
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
	memcpy(line.text + line.length, "}\n", 2);
	/* A log that cannot be written must not stop the vault. */
	if (write(STDERR_FILENO, line.text, line.length + 2) < 0)
		return;
}
