/*
 * The parts that all binlog events of format version 4 share: the 19-byte header and the CRC32.
 *
 * An event is `length` bytes: header, body, and with checksums on, 4 bytes of CRC32 (the zlib
 * polynomial) over everything before them. "Event bytes" in the headers of this folder always
 * begin with byte 0 of the header.
 *
 * Owns: nothing; all structs are plain values, nothing is allocated, no byte beyond the given
 * size is read. The input is hostile.
 * Threads: no shared state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/name.h"

#define EVENT_HEADER_SIZE 19
#define EVENT_CRC_SIZE	  4

/* max_allowed_packet ends at 1 GiB and counts the body alone; what stands around it is smaller. */
#define EVENT_LENGTH_MAX ((1U << 30) + (1U << 20))

/* A binlog file begins with these; the dump stream does not send them. */
#define BINLOG_MAGIC                                                                               \
	"\xfe"                                                                                     \
	"bin"
#define BINLOG_MAGIC_SIZE 4

/* MySQL: libs/mysql/binlog/event/binlog_event.h. MariaDB: sql/log_event.h. */
enum event_type {
	EVENT_START_V3 = 1,
	EVENT_QUERY = 2,
	EVENT_STOP = 3,
	EVENT_ROTATE = 4,
	EVENT_INTVAR = 5,
	EVENT_SLAVE = 7,
	EVENT_APPEND_BLOCK = 9,
	EVENT_DELETE_FILE = 11,
	EVENT_RAND = 13,
	EVENT_USER_VAR = 14,
	EVENT_FORMAT_DESCRIPTION = 15,
	EVENT_XID = 16,
	EVENT_BEGIN_LOAD_QUERY = 17,
	EVENT_EXECUTE_LOAD_QUERY = 18,
	EVENT_TABLE_MAP = 19,
	EVENT_WRITE_ROWS_V1 = 23,
	EVENT_UPDATE_ROWS_V1 = 24,
	EVENT_DELETE_ROWS_V1 = 25,
	EVENT_INCIDENT = 26,
	EVENT_HEARTBEAT = 27,
	EVENT_IGNORABLE = 28,
	EVENT_ROWS_QUERY = 29,
	EVENT_WRITE_ROWS = 30,
	EVENT_UPDATE_ROWS = 31,
	EVENT_DELETE_ROWS = 32,
	EVENT_GTID = 33,
	EVENT_ANONYMOUS_GTID = 34,
	EVENT_PREVIOUS_GTIDS = 35,
	EVENT_TRANSACTION_CONTEXT = 36,
	EVENT_VIEW_CHANGE = 37,
	EVENT_XA_PREPARE = 38,
	EVENT_PARTIAL_UPDATE_ROWS = 39,
	EVENT_TRANSACTION_PAYLOAD = 40,
	EVENT_HEARTBEAT_V2 = 41,
	EVENT_GTID_TAGGED = 42,
	EVENT_MARIADB_ANNOTATE = 160,
	EVENT_MARIADB_CHECKPOINT = 161,
	EVENT_MARIADB_GTID = 162,
	EVENT_MARIADB_GTID_LIST = 163,
	EVENT_MARIADB_START_ENCRYPTION = 164,
	EVENT_MARIADB_QUERY_COMPRESSED = 165,
	EVENT_MARIADB_WRITE_ROWS_COMPRESSED_V1 = 166,
	EVENT_MARIADB_UPDATE_ROWS_COMPRESSED_V1 = 167,
	EVENT_MARIADB_DELETE_ROWS_COMPRESSED_V1 = 168,
	EVENT_MARIADB_WRITE_ROWS_COMPRESSED = 169,
	EVENT_MARIADB_UPDATE_ROWS_COMPRESSED = 170,
	EVENT_MARIADB_DELETE_ROWS_COMPRESSED = 171,
};

#define EVENT_FLAG_IN_USE     0x0001 /* FORMAT_DESCRIPTION of a file that is not closed */
#define EVENT_FLAG_ARTIFICIAL 0x0020 /* made for the stream, in no file */
#define EVENT_FLAG_IGNORABLE  0x0080 /* who does not know the type may skip it */

struct event_header {
	uint32_t timestamp; /* seconds since 1970; any SQL user can set it */
	uint32_t server_id;
	uint32_t length;  /* of the whole event: EVENT_HEADER_SIZE to EVENT_LENGTH_MAX */
	uint32_t log_pos; /* end of the event modulo 2^32, or 0: never the proof of a position */
	uint16_t flags;
	uint8_t type; /* enum event_type, or one that we do not know */
};

/* Read the header from the first EVENT_HEADER_SIZE of @size bytes; ERROR_DEFECT otherwise. */
int event_header_decode(const uint8_t *event, size_t size, struct event_header *ret_header,
			struct error *err) MUST_CHECK;

/* The name for sentences: "ROTATE"; "unknown" for a type that we do not know. */
const char *event_type_name(uint8_t type);

/*
 * The name of a binlog file in an event called @event: the @length bytes at @bytes, at least one,
 * to @ret_name of BINLOG_NAME_MAX + 1 bytes. ERROR_DEFECT unless name_check_binlog() allows it.
 */
int event_file_name(const uint8_t *bytes, size_t length, const char *event, char *ret_name,
		    struct error *err) MUST_CHECK;

/*
 * Is this event part of the binlog file? False for what a server sends beside the file: fake
 * ROTATE, heartbeats, the artificial GTID_LIST, and after a start in the middle of a file
 * (@resumed_before_first: no file event has come yet) the repeated FORMAT_DESCRIPTION and
 * START_ENCRYPTION. log_pos alone says nothing: MariaDB 11.4 writes 0 in the file itself.
 */
bool event_is_stored(const struct event_header *header, bool resumed_before_first);

/* The CRC32 of one event that arrives in pieces of any size; nothing is buffered but the CRC. */
struct event_crc {
	uint32_t computed;
	uint32_t covered_left; /* bytes under the CRC that have not come yet */
	uint8_t stored[EVENT_CRC_SIZE];
	uint8_t stored_size;
};

/* Begin an event of @length bytes with a CRC; ERROR_DEFECT if there is no room for one. */
int event_crc_init(struct event_crc *crc, uint32_t length, struct error *err) MUST_CHECK;

/* The next @size bytes, header included; never more than the event's length in all. */
void event_crc_update(struct event_crc *crc, const uint8_t *bytes, size_t size);

/* After the last byte: 0 if the stored CRC is right, else ERROR_DEFECT with both values. */
int event_crc_check(const struct event_crc *crc, struct error *err) MUST_CHECK;

/* The CRC that stands in the event, after its last byte. */
uint32_t event_crc_stored(const struct event_crc *crc);

/* The same for an event that lies whole in memory; @size is its length. */
int event_crc_check_whole(const uint8_t *event, size_t size, struct error *err) MUST_CHECK;
