/*
 * Any text as a set of GTIDs of either flavour: what is read is written again, whole and into a
 * buffer of any size. The first byte is the flavour and the size.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "binlog/gtid_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Write what @string holds to @size bytes; how many intervals there are, or an error. */
static int copy(enum flavour flavour, const char *string, char *text, size_t size)
{
	struct gtid_text_writer writer;
	struct gtid_interval interval;
	struct gtid_text reader;
	struct error err;
	int count = 0, r;

	gtid_text_writer_init(&writer, text, size);
	gtid_text_init(&reader, flavour, string);
	while ((r = gtid_text_next(&reader, &interval, &err)) > 0) {
		ASSERT(interval.first >= 1 && interval.first <= interval.last);
		ASSERT(reader.rest <= string + strlen(string));
		ASSERT(gtid_text_writer_add(&writer, &interval, &err) == 0);
		ASSERT(strlen(text) == writer.length && writer.length < size);
		count++;
	}
	return r < 0 ? r : count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char whole[1 << 20], again[1 << 20];
	enum flavour flavour;
	size_t part_size;
	char *string, *part;
	int count;

	if (size < 1 || size > 8192)
		return 0;
	flavour = data[0] & 1 ? FLAVOUR_MYSQL : FLAVOUR_MARIADB;
	part_size = MAX((size_t)data[0], (size_t)GTID_TEXT_WRITER_SIZE_MIN);
	string = strndup((const char *)data + 1, size - 1);
	part = malloc(part_size);
	ASSERT(string && part);
	count = copy(flavour, string, whole, sizeof(whole));
	ASSERT(copy(flavour, string, part, part_size) == count);
	if (count >= 0) {
		int second = copy(flavour, whole, again, sizeof(again));

		/* The last GTID of a MariaDB domain and server stands for those before it. */
		ASSERT(flavour == FLAVOUR_MYSQL ? second == count : second <= count);
		ASSERT(strcmp(whole, again) == 0);
	}
	free(string);
	free(part);
	return 0;
}
