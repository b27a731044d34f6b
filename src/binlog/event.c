#include "binlog/event.h"

#include <libdeflate.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"

#define TYPE_OFFSET	 4
#define SERVER_ID_OFFSET 5
#define LENGTH_OFFSET	 9
#define LOG_POS_OFFSET	 13
#define FLAGS_OFFSET	 17

static const char *const type_names[256] = {
	[EVENT_START_V3] = "START_V3",
	[EVENT_QUERY] = "QUERY",
	[EVENT_STOP] = "STOP",
	[EVENT_ROTATE] = "ROTATE",
	[EVENT_INTVAR] = "INTVAR",
	[EVENT_SLAVE] = "SLAVE",
	[EVENT_APPEND_BLOCK] = "APPEND_BLOCK",
	[EVENT_DELETE_FILE] = "DELETE_FILE",
	[EVENT_RAND] = "RAND",
	[EVENT_USER_VAR] = "USER_VAR",
	[EVENT_FORMAT_DESCRIPTION] = "FORMAT_DESCRIPTION",
	[EVENT_XID] = "XID",
	[EVENT_BEGIN_LOAD_QUERY] = "BEGIN_LOAD_QUERY",
	[EVENT_EXECUTE_LOAD_QUERY] = "EXECUTE_LOAD_QUERY",
	[EVENT_TABLE_MAP] = "TABLE_MAP",
	[EVENT_WRITE_ROWS_V1] = "WRITE_ROWS_V1",
	[EVENT_UPDATE_ROWS_V1] = "UPDATE_ROWS_V1",
	[EVENT_DELETE_ROWS_V1] = "DELETE_ROWS_V1",
	[EVENT_INCIDENT] = "INCIDENT",
	[EVENT_HEARTBEAT] = "HEARTBEAT",
	[EVENT_IGNORABLE] = "IGNORABLE",
	[EVENT_ROWS_QUERY] = "ROWS_QUERY",
	[EVENT_WRITE_ROWS] = "WRITE_ROWS",
	[EVENT_UPDATE_ROWS] = "UPDATE_ROWS",
	[EVENT_DELETE_ROWS] = "DELETE_ROWS",
	[EVENT_GTID] = "GTID",
	[EVENT_ANONYMOUS_GTID] = "ANONYMOUS_GTID",
	[EVENT_PREVIOUS_GTIDS] = "PREVIOUS_GTIDS",
	[EVENT_TRANSACTION_CONTEXT] = "TRANSACTION_CONTEXT",
	[EVENT_VIEW_CHANGE] = "VIEW_CHANGE",
	[EVENT_XA_PREPARE] = "XA_PREPARE",
	[EVENT_PARTIAL_UPDATE_ROWS] = "PARTIAL_UPDATE_ROWS",
	[EVENT_TRANSACTION_PAYLOAD] = "TRANSACTION_PAYLOAD",
	[EVENT_HEARTBEAT_V2] = "HEARTBEAT_V2",
	[EVENT_GTID_TAGGED] = "GTID_TAGGED",
	[EVENT_MARIADB_ANNOTATE] = "ANNOTATE_ROWS",
	[EVENT_MARIADB_CHECKPOINT] = "BINLOG_CHECKPOINT",
	[EVENT_MARIADB_GTID] = "MARIADB_GTID",
	[EVENT_MARIADB_GTID_LIST] = "GTID_LIST",
	[EVENT_MARIADB_START_ENCRYPTION] = "START_ENCRYPTION",
	[EVENT_MARIADB_QUERY_COMPRESSED] = "QUERY_COMPRESSED",
	[EVENT_MARIADB_WRITE_ROWS_COMPRESSED_V1] = "WRITE_ROWS_COMPRESSED_V1",
	[EVENT_MARIADB_UPDATE_ROWS_COMPRESSED_V1] = "UPDATE_ROWS_COMPRESSED_V1",
	[EVENT_MARIADB_DELETE_ROWS_COMPRESSED_V1] = "DELETE_ROWS_COMPRESSED_V1",
	[EVENT_MARIADB_WRITE_ROWS_COMPRESSED] = "WRITE_ROWS_COMPRESSED",
	[EVENT_MARIADB_UPDATE_ROWS_COMPRESSED] = "UPDATE_ROWS_COMPRESSED",
	[EVENT_MARIADB_DELETE_ROWS_COMPRESSED] = "DELETE_ROWS_COMPRESSED",
};

int event_header_decode(const uint8_t *event, size_t size, struct event_header *ret_header,
			struct error *err)
{
	uint32_t length;

	if (size < EVENT_HEADER_SIZE)
		return error_set(err, ERROR_DEFECT, "event of %zu bytes is shorter than its header",
				 size);
	length = get_le32(event + LENGTH_OFFSET);
	if (length < EVENT_HEADER_SIZE)
		return error_set(err, ERROR_DEFECT,
				 "event header gives a length of %u, less than the header itself",
				 length);
	if (length > EVENT_LENGTH_MAX)
		return error_set(err, ERROR_DEFECT,
				 "event header gives a length of %u, more than the %u allowed",
				 length, EVENT_LENGTH_MAX);
	*ret_header = (struct event_header){
		.timestamp = get_le32(event),
		.type = event[TYPE_OFFSET],
		.server_id = get_le32(event + SERVER_ID_OFFSET),
		.length = length,
		.log_pos = get_le32(event + LOG_POS_OFFSET),
		.flags = get_le16(event + FLAGS_OFFSET),
	};
	return 0;
}

const char *event_type_name(uint8_t type)
{
	return type_names[type] ? type_names[type] : "unknown";
}

int event_file_name(const uint8_t *bytes, size_t length, const char *event, char *ret_name,
		    struct error *err)
{
	char name[BINLOG_NAME_MAX + 1] = {0};

	if (length > BINLOG_NAME_MAX)
		return error_set(err, ERROR_DEFECT,
				 "%s names a file with %zu characters: at most %d are allowed",
				 event, length, BINLOG_NAME_MAX);
	memcpy(name, bytes, length);
	if (strlen(name) != length)
		return error_set(err, ERROR_DEFECT, "%s names a file with a NUL in its name",
				 event);
	if (name_check_binlog(name, err) < 0) {
		/* The server sent it, nobody typed it: not a usage error. */
		err->code = ERROR_DEFECT;
		return error_prefix(err, "%s", event);
	}
	memcpy(ret_name, name, length + 1);
	return 0;
}

bool event_is_stored(const struct event_header *header, bool resumed_before_first)
{
	if (header->flags & EVENT_FLAG_ARTIFICIAL)
		return false;
	switch (header->type) {
	case EVENT_HEARTBEAT:
	case EVENT_HEARTBEAT_V2:
		return false;
	case EVENT_FORMAT_DESCRIPTION:
	case EVENT_MARIADB_START_ENCRYPTION:
		return !(resumed_before_first && header->log_pos == 0);
	default:
		return true;
	}
}

int event_crc_init(struct event_crc *crc, uint32_t length, struct error *err)
{
	if (length < EVENT_HEADER_SIZE + EVENT_CRC_SIZE)
		return error_set(err, ERROR_DEFECT, "event of %u bytes has no room for its CRC",
				 length);
	*crc = (struct event_crc){.covered_left = length - EVENT_CRC_SIZE};
	return 0;
}

/* The length is known from the start, so no delay line is needed to keep the last 4 bytes back. */
void event_crc_update(struct event_crc *crc, const uint8_t *bytes, size_t size)
{
	size_t covered = MIN(size, (size_t)crc->covered_left);

	if (size == 0)
		return;
	if (covered > 0) {
		crc->computed = libdeflate_crc32(crc->computed, bytes, covered);
		crc->covered_left -= (uint32_t)covered;
	}
	ASSERT(size - covered <= (size_t)EVENT_CRC_SIZE - crc->stored_size);
	memcpy(crc->stored + crc->stored_size, bytes + covered, size - covered);
	crc->stored_size += (uint8_t)(size - covered);
}

uint32_t event_crc_stored(const struct event_crc *crc)
{
	ASSERT(crc->stored_size == EVENT_CRC_SIZE);
	return get_le32(crc->stored);
}

int event_crc_check(const struct event_crc *crc, struct error *err)
{
	uint32_t stored = event_crc_stored(crc);

	if (stored != crc->computed)
		return error_set(err, ERROR_DEFECT, "event says CRC %08x, its bytes give %08x",
				 stored, crc->computed);
	return 0;
}

int event_crc_check_whole(const uint8_t *event, size_t size, struct error *err)
{
	struct event_crc crc;
	int r;

	if (size > EVENT_LENGTH_MAX)
		return error_set(err, ERROR_DEFECT, "event of %zu bytes is too long", size);
	r = event_crc_init(&crc, (uint32_t)size, err);
	if (r < 0)
		return r;
	event_crc_update(&crc, event, size);
	return event_crc_check(&crc, err);
}
