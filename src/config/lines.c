#include "config/lines.h"

#include <stdlib.h>
#include <string.h>

#include <ini.h>

#define BLANKS	  " \t"
#define KEY_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-"

/* inih's callbacks carry one pointer; this is what lies behind it. */
struct reading {
	struct config_lines *lines;
	const char *rest; /* what inih has not been given yet */
	size_t rest_size;
	bool continuation; /* the line last given continues the entry before it */
	bool failed;
	struct error *err;
};

static int refuse(struct reading *reading, const char *sentence)
{
	reading->failed = true;
	return error_set(reading->err, ERROR_USAGE, "%s:%u: %s", reading->lines->path,
			 reading->lines->line_count, sentence);
}

static char *copy_text(const char *text, size_t length)
{
	char *copy = strndup(text, length);

	ASSERT(copy);
	return copy;
}

/* The section's name with single blanks, so that two ways of writing it are one section. */
static char *copy_title(const char *text, size_t length)
{
	char *title = copy_text(text, length);
	size_t used = 0;

	for (const char *p = title; *p; p++) {
		if (!strchr(BLANKS, *p))
			title[used++] = *p;
		else if (used > 0 && title[used - 1] != ' ')
			title[used++] = ' ';
	}
	while (used > 0 && title[used - 1] == ' ')
		used--;
	title[used] = '\0';
	return title;
}

static int add_section(struct reading *reading, char *title)
{
	struct config_lines *lines = reading->lines;

	/* It is owned from here on, also if it is refused. */
	lines->sections =
		reallocarray(lines->sections, lines->section_count + 1, sizeof(*lines->sections));
	ASSERT(lines->sections);
	lines->sections[lines->section_count++] = (struct config_section){title, lines->line_count};
	if (title[0] == '\0')
		return refuse(reading, "the section has no name");
	for (size_t i = 0; i + 1 < lines->section_count; i++) {
		const struct config_section *other = &lines->sections[i];

		if (strcmp(other->title, title) == 0) {
			reading->failed = true;
			return error_set(reading->err, ERROR_USAGE,
					 "%s:%u: section [%s] stands already in line %u",
					 lines->path, lines->line_count, other->title, other->line);
		}
	}
	return 0;
}

static int take_section(struct reading *reading, const char *line)
{
	const char *end = strchr(line, ']');
	const char *behind;

	if (!end)
		return refuse(reading, "the section's ']' is missing");
	behind = end + 1 + strspn(end + 1, BLANKS);
	if (*behind != '\0' && *behind != ';' && *behind != '#')
		return refuse(reading, "nothing but a comment may follow a section's ']'");
	return add_section(reading, copy_title(line + 1, (size_t)(end - line - 1)));
}

/* What stands behind '=' or on an indented line. Never echoed: it may be a password. */
static int check_value(struct reading *reading, const char *value)
{
	value += strspn(value, BLANKS);
	if (*value == '\0' || *value == ';')
		return refuse(reading, "the key has no value");
	if (*value == '"' || *value == '\'')
		return refuse(reading, "a value is written without quotes");
	for (const char *p = value; *p; p++) {
		bool behind_blank = p > value && strchr(BLANKS, p[-1]);

		if (*p == ';') {
			if (behind_blank)
				break;
			return refuse(reading,
				      "a value cannot hold ';': a comment has a blank before it");
		}
		if (*p == '#' && behind_blank)
			return refuse(reading, "a comment behind a value begins with ' ;'");
	}
	return 0;
}

static int check_entry(struct reading *reading, const char *line)
{
	const char *equals = strchr(line, '=');
	size_t length = strspn(line, KEY_CHARS);

	if (reading->lines->section_count == 0)
		return refuse(reading, "the first line must be a section, such as [archive]");
	if (!equals || line + length + strspn(line + length, BLANKS) != equals || length == 0)
		return refuse(reading, "this is neither '[section]', 'key = value' nor a comment");
	return check_value(reading, equals + 1);
}

static int check_continuation(struct reading *reading, const char *line)
{
	const struct config_lines *lines = reading->lines;

	/* "[fd00::1]:3306" is an address; "[source b]" is a section that somebody indented. */
	if ((*line == '[' && !strchr(line, ':')) || strchr(line, '='))
		return refuse(reading, "a section or key begins at the first character of its "
				       "line; an indented line continues a list");
	if (lines->entry_count == 0 ||
	    lines->entries[lines->entry_count - 1].section_index + 1 != lines->section_count)
		return refuse(reading, "an indented line continues a list, and there is none here");
	reading->continuation = true;
	return check_value(reading, line);
}

static int check_line(struct reading *reading, const char *line)
{
	const char *first = line + strspn(line, BLANKS);

	reading->continuation = false;
	for (const char *p = line; *p; p++) {
		if ((unsigned char)*p < 0x20 && *p != '\t')
			return refuse(reading, "the line holds a control character");
	}
	if (*first == '\0' || *first == ';' || *first == '#')
		return 0;
	if (first > line)
		return check_continuation(reading, first);
	if (*line == '[')
		return take_section(reading, line);
	return check_entry(reading, line);
}

/* inih's fgets: the next line, checked, with its newline. */
static char *next_line(char *line, int size, void *stream)
{
	struct reading *reading = stream;
	const char *newline;
	size_t length;

	if (reading->failed || reading->rest_size == 0)
		return NULL;
	reading->lines->line_count++;
	newline = memchr(reading->rest, '\n', reading->rest_size);
	length = newline ? (size_t)(newline - reading->rest) : reading->rest_size;
	if (length + 2 > (size_t)size) {
		reading->failed = true;
		error_set(reading->err, ERROR_USAGE,
			  "%s:%u: the line is longer than %d characters; a list may go on in an "
			  "indented line",
			  reading->lines->path, reading->lines->line_count, size - 2);
		return NULL;
	}
	if (memchr(reading->rest, '\0', length)) {
		refuse(reading, "the line holds a control character");
		return NULL;
	}
	memcpy(line, reading->rest, length);
	reading->rest += length + (newline != NULL);
	reading->rest_size -= length + (newline != NULL);
	if (length > 0 && line[length - 1] == '\r')
		length--;
	line[length] = '\0';
	if (check_line(reading, line) < 0)
		return NULL;
	/* The section was taken above, whole; inih would cut a long one. */
	memcpy(line + length, "\n", 2);
	return line;
}

static void join(struct config_entry *entry, const char *value)
{
	size_t old_length = strlen(entry->value);
	size_t length = strlen(value);

	entry->value = realloc(entry->value, old_length + length + 2);
	ASSERT(entry->value);
	/* "a,\n  b" and "a\n  b" both mean two elements. */
	if (entry->value[old_length - 1] != ',')
		entry->value[old_length++] = ',';
	memcpy(entry->value + old_length, value, length + 1);
	entry->continued = true;
}

/* Debian's inih may or may not pass a line number behind these: it is not used. */
static int take_entry(void *user, const char *section, const char *key, const char *value)
{
	struct reading *reading = user;
	struct config_lines *lines = reading->lines;
	const struct config_entry *other;

	(void)section;
	if (reading->failed)
		return 0;
	if (reading->continuation) {
		join(&lines->entries[lines->entry_count - 1], value);
		return 1;
	}
	other = config_lines_find(lines, lines->section_count - 1, key);
	if (other) {
		reading->failed = true;
		error_set(reading->err, ERROR_USAGE,
			  "%s:%u: key '%s' stands already in line %u of this section", lines->path,
			  lines->line_count, key, other->line);
		return 0;
	}
	lines->entries =
		reallocarray(lines->entries, lines->entry_count + 1, sizeof(*lines->entries));
	ASSERT(lines->entries);
	lines->entries[lines->entry_count++] = (struct config_entry){
		.section_index = lines->section_count - 1,
		.key = copy_text(key, strlen(key)),
		.value = copy_text(value, strlen(value)),
		.line = lines->line_count,
	};
	return 1;
}

int config_lines_parse(struct config_lines *lines, const char *path, const char *text, size_t size,
		       struct error *err)
{
	static const char mark[] = "\xef\xbb\xbf"; /* UTF-8 byte order mark */
	struct reading reading = {.lines = lines, .rest = text, .rest_size = size, .err = err};
	int line;

	lines->path = path;
	if (size > CONFIG_FILE_SIZE_MAX)
		return error_set(err, ERROR_USAGE, "%s:1: the file is larger than %u bytes", path,
				 CONFIG_FILE_SIZE_MAX);
	if (size >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0) {
		reading.rest += strlen(mark);
		reading.rest_size -= strlen(mark);
	}
	line = ini_parse_stream(next_line, &reading, take_entry, &reading);
	if (reading.failed)
		return err->code;
	if (line != 0)
		return error_set(err, ERROR_USAGE,
				 "%s:%d: this is neither '[section]', 'key = value' nor a comment",
				 path, line);
	return 0;
}

void config_lines_release(struct config_lines *lines)
{
	for (size_t i = 0; i < lines->section_count; i++)
		free(lines->sections[i].title);
	for (size_t i = 0; i < lines->entry_count; i++) {
		free(lines->entries[i].key);
		free(lines->entries[i].value);
	}
	free(lines->sections);
	free(lines->entries);
	*lines = (struct config_lines){0};
}

const struct config_entry *config_lines_find(const struct config_lines *lines, size_t section_index,
					     const char *key)
{
	for (size_t i = 0; i < lines->entry_count; i++) {
		const struct config_entry *entry = &lines->entries[i];

		if (entry->section_index == section_index && strcmp(entry->key, key) == 0)
			return entry;
	}
	return NULL;
}
