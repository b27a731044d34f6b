#include "check/evidence.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/json.h"

static void fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* A pipe is fine too: what matters is how much comes out of it. */
static int read_all(FILE *file, const char *path, char **ret_bytes, size_t *ret_size,
		    struct error *err)
{
	CLEANUP(freep)
	char *bytes = NULL;
	size_t size = 0, room = 0;

	while (!feof(file)) {
		if (room - size < 2) {
			char *larger;

			room = room ? 2 * room : 65536;
			larger = realloc(bytes, room);
			ASSERT(larger);
			bytes = larger;
		}
		size += fread(bytes + size, 1, room - size - 1, file);
		if (ferror(file))
			return error_set_errno(err, ERROR_IO, errno, "reading '%s'", path);
		if (size > EVIDENCE_SIZE_MAX)
			return error_set(err, ERROR_DEFECT,
					 "'%s' is larger than %u bytes; name the recorded file",
					 path, EVIDENCE_SIZE_MAX);
	}
	bytes[size] = '\0';
	*ret_bytes = TAKE(bytes);
	*ret_size = size;
	return 0;
}

int evidence_read(const char *path, char **ret_bytes, size_t *ret_size, struct error *err)
{
	CLEANUP(fclosep)
	FILE *file = fopen(path, "rbe");

	if (!file)
		return error_set_errno(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, errno,
				       "opening '%s'", path);
	return read_all(file, path, ret_bytes, ret_size, err);
}

int evidence_read_json(const char *path, json_t **ret_object, struct error *err)
{
	CLEANUP(freep)
	char *text = NULL;
	size_t length = 0;
	int r = evidence_read(path, &text, &length, err);

	if (r < 0)
		return r;
	r = json_parse(text, length, ret_object, err);
	return r < 0 ? error_prefix(err, "'%s'", path) : 0;
}

int evidence_read_format(const char *path, const char *format, json_t **ret_object,
			 struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	const char *found = NULL;
	int r = evidence_read_json(path, &object, err);

	if (r < 0)
		return r;
	r = json_get_string(object, "format", &found, err);
	if (r < 0)
		return error_prefix(err, "'%s'", path);
	if (strcmp(found, format) != 0)
		return error_set(err, ERROR_DEFECT, "'%s' is '%.60s', but '%s' is needed here",
				 path, found, format);
	*ret_object = TAKE(object);
	return 0;
}

static int split_row(char *line, size_t column_count, char *fields[EVIDENCE_COLUMNS],
		     struct error *err)
{
	size_t count = 0;

	ASSERT(column_count <= EVIDENCE_COLUMNS);
	for (char *field = line; field;) {
		char *next = strchr(field, '\t');

		if (next)
			*next++ = '\0';
		if (count == column_count || !*field)
			break;
		fields[count++] = field;
		field = next;
		if (!next && count == column_count)
			return 0;
	}
	return error_set(err, ERROR_DEFECT, "%zu filled fields between tabs belong here",
			 column_count);
}

int evidence_read_table(const char *path, size_t column_count, evidence_row row, void *context,
			struct error *err)
{
	CLEANUP(freep)
	char *text = NULL;
	size_t length = 0;
	unsigned number = 0;
	int r = evidence_read(path, &text, &length, err);

	if (r < 0)
		return r;
	if (strlen(text) != length)
		return error_set(err, ERROR_DEFECT, "'%s' holds a NUL byte", path);
	for (char *line = text; line;) {
		char *next = strchr(line, '\n');
		char *fields[EVIDENCE_COLUMNS] = {0};

		if (next)
			*next++ = '\0';
		number++;
		if (*line && *line != '#') {
			r = split_row(line, column_count, fields, err);
			if (r == 0)
				r = row(context, number, fields, err);
			if (r < 0)
				return error_prefix(err, "'%s' line %u", path, number);
		}
		line = next;
	}
	return 0;
}
