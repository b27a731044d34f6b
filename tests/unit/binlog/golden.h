/* Files and events that servers wrote, and event bytes made by hand. */
#pragma once

#include <stdio.h>

#include "binlog/event.h"
#include "unit/cmocka_prelude.h"

#define GOLDEN		   "tests/golden/mariadb-10.11.binlog"
#define GOLDEN_IN_USE	   "tests/golden/mariadb-10.11-in-use.binlog"
#define GOLDEN_STOPPED	   "tests/golden/mariadb-10.11-stopped.binlog"
#define GOLDEN_NO_CHECKSUM "tests/golden/mariadb-10.11-no-checksum.binlog"

#define GOLDEN_MYSQL	       "tests/golden/mysql-9.7.binlog"
#define GOLDEN_MYSQL_ANONYMOUS "tests/golden/mysql-9.7-anonymous.binlog"
#define GOLDEN_MARIADB_11      "tests/golden/mariadb-11.8.binlog"

#define GOLDEN_FORMAT_SIZE 252 /* the FORMAT_DESCRIPTION event of each */

struct golden {
	uint8_t bytes[65536];
	size_t size;
};

static inline void golden_load(struct golden *golden, const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		fail_msg("cannot open %s", path);
	golden->size = fread(golden->bytes, 1, sizeof(golden->bytes), file);
	fclose(file);
	assert_true(golden->size > BINLOG_MAGIC_SIZE);
	assert_memory_equal(golden->bytes, BINLOG_MAGIC, BINLOG_MAGIC_SIZE);
}

/* Bytes written down as hexadecimal digits, to @bytes; returns their number. */
static inline size_t golden_hex(const char *digits, uint8_t *bytes, size_t size_max)
{
	size_t size = strlen(digits) / 2;

	assert_true(size <= size_max);
	for (size_t i = 0; i < size; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(digits + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
	return size;
}

static inline void put_le(uint8_t *bytes, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

/* Write a header for @body_size bytes that the caller puts at event + EVENT_HEADER_SIZE. */
static inline size_t put_header(uint8_t *event, uint8_t type, uint16_t flags, size_t body_size)
{
	put_le(event, 1700000000, 4);
	event[4] = type;
	put_le(event + 5, 11, 4);
	put_le(event + 9, EVENT_HEADER_SIZE + body_size, 4);
	put_le(event + 13, 4711, 4);
	put_le(event + 17, flags, 2);
	return EVENT_HEADER_SIZE + body_size;
}
