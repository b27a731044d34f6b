#include "pull/binlog_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "io/clock.h"

/* The header of a file that MySQL encrypts, which its size includes and its positions do not. */
#define ENCRYPTED_HEADER_SIZE 512

#define CAPACITY_MIN 4096

void binlog_list_release(struct binlog_list *list)
{
	free(list->bytes);
	memset(list, 0, sizeof(*list));
}

static void reserve(struct binlog_list *list, size_t size)
{
	while (list->capacity < size) {
		list->capacity = MAX(2 * list->capacity, CAPACITY_MIN);
		list->bytes = realloc(list->bytes, list->capacity);
		ASSERT(list->bytes);
	}
}

static int parse_size(const char *text, uint64_t *ret_size, struct error *err)
{
	char *end;

	errno = 0;
	*ret_size = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-')
		return error_set(err, ERROR_DEFECT, "the size '%.32s' is no number", text);
	return 0;
}

/* Log_name, File_size and, with MySQL, Encrypted. */
static int add_row(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct binlog_list *list = context;
	struct observed_file file = {0};
	int r;

	if (count < 2 || !columns[0] || !columns[1])
		return error_set(err, ERROR_DEFECT, "a row without a name and a size");
	if (list->count == OBSERVED_FILES_MAX)
		return error_set(err, ERROR_REFUSED, "it has more than %u files",
				 OBSERVED_FILES_MAX);
	r = name_check_binlog(columns[0], err);
	if (r == 0)
		r = parse_size(columns[1], &file.size, err);
	if (r < 0)
		return r;
	memcpy(file.name, columns[0], strlen(columns[0]) + 1);
	list->last_plain = count > 2 && columns[2] && strcasecmp(columns[2], "No") == 0;
	file.encrypted = count > 2 && columns[2] && strcasecmp(columns[2], "Yes") == 0;
	if (file.encrypted && file.size >= ENCRYPTED_HEADER_SIZE)
		file.size -= ENCRYPTED_HEADER_SIZE;
	reserve(list, list->size + OBSERVED_FILE_SIZE_MAX);
	list->size += observed_file_encode(&file, list->bytes + list->size);
	if (list->count++ == 0)
		memcpy(list->first, file.name, sizeof(list->first));
	memcpy(list->last, file.name, sizeof(list->last));
	return 0;
}

int binlog_list_read(struct binlog_list *list, struct connection *connection,
		     const struct config_server *server, struct error *err)
{
	struct binlog_list next = {
		.server = server,
		.listed_usec = clock_realtime_usec(),
		.monotonic_usec = clock_monotonic_usec(),
	};
	int r = connection_table(connection, "SHOW BINARY LOGS", add_row, &next, err);

	if (r == 0 && next.count == 0)
		r = error_set(err, ERROR_REFUSED, "the server has no binlog file");
	if (r < 0) {
		binlog_list_release(&next);
		return error_prefix(err, "the server's list of binlog files");
	}
	binlog_list_release(list);
	*list = next;
	return 0;
}

bool binlog_list_is_current(const struct binlog_list *list, const struct config_server *server)
{
	return list->count > 0 && list->server == server &&
	       clock_monotonic_usec() < list->monotonic_usec + BINLOG_LIST_EVERY_USEC;
}

void binlog_list_copy(struct binlog_list *to, const struct binlog_list *from)
{
	uint8_t *bytes = malloc(MAX(from->size, 1));

	ASSERT(bytes);
	if (from->size > 0)
		memcpy(bytes, from->bytes, from->size);
	binlog_list_release(to);
	*to = *from;
	to->bytes = bytes;
	to->capacity = from->size;
}
