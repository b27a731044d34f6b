#include "binlog/gtid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"
#include "base/hex.h"

#define TAG_MARIADB 'M'
#define TAG_MYSQL   'Y'

struct group_mariadb {
	uint8_t tag;
	le32 domain;
	le32 server_id;
};

struct group_mysql {
	uint8_t tag;
	uint8_t uuid[16];
};

_Static_assert(sizeof(struct group_mariadb) == 9, "layout of a MariaDB group");
_Static_assert(sizeof(struct group_mysql) == 17, "layout of a MySQL group");

/* Behind the event header. */
struct mariadb_gtid_body {
	le64 sequence;
	le32 domain;
	uint8_t flags;
};

struct mysql_gtid_body {
	uint8_t flags;
	uint8_t uuid[16];
	le64 sequence;
};

struct gtid_list_item {
	le32 domain;
	le32 server_id;
	le64 sequence;
};

_Static_assert(sizeof(struct mariadb_gtid_body) == 13, "layout of MARIADB_GTID");
_Static_assert(sizeof(struct mysql_gtid_body) == 25, "layout of GTID");
_Static_assert(sizeof(struct gtid_list_item) == 16, "layout of GTID_LIST");

#define GTID_LIST_COUNT_MASK 0x0fffffffU
#define GTID_LIST_FLAG_SHIFT 28

void gtid_group_mariadb(struct gtid_group *ret_group, uint32_t domain, uint32_t server_id)
{
	struct group_mariadb group = {TAG_MARIADB, le32_put(domain), le32_put(server_id)};

	*ret_group = (struct gtid_group){.size = sizeof(group)};
	memcpy(ret_group->bytes, &group, sizeof(group));
}

void gtid_group_mysql(struct gtid_group *ret_group, const uint8_t uuid[16])
{
	*ret_group = (struct gtid_group){.size = sizeof(struct group_mysql)};
	ret_group->bytes[0] = TAG_MYSQL;
	memcpy(ret_group->bytes + 1, uuid, 16);
}

bool gtid_group_equal(const struct gtid_group *a, const struct gtid_group *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static void format_uuid(const uint8_t uuid[16], char *text)
{
	static const uint8_t part_size[] = {4, 2, 2, 2, 6};

	for (size_t i = 0; i < ARRAY_LENGTH(part_size); i++) {
		hex_encode(uuid, part_size[i], text);
		uuid += part_size[i];
		text += 2 * part_size[i];
		*text++ = '-';
	}
	text[-1] = '\0';
}

int gtid_format(const struct gtid *gtid, char *text, struct error *err)
{
	const struct gtid_group *group = &gtid->group;

	if (group->size == sizeof(struct group_mariadb) && group->bytes[0] == TAG_MARIADB) {
		struct group_mariadb mariadb;

		memcpy(&mariadb, group->bytes, sizeof(mariadb));
		snprintf(text, GTID_TEXT_SIZE, "%u-%u-%" PRIu64, le32_get(mariadb.domain),
			 le32_get(mariadb.server_id), gtid->sequence);
		return 0;
	}
	if (group->size == sizeof(struct group_mysql) && group->bytes[0] == TAG_MYSQL) {
		char uuid[37];

		format_uuid(group->bytes + 1, uuid);
		snprintf(text, GTID_TEXT_SIZE, "%s:%" PRIu64, uuid, gtid->sequence);
		return 0;
	}
	return error_set(err, ERROR_DEFECT, "GTID group of %u bytes is of no known form",
			 group->size);
}

bool gtid_event_is(uint8_t type)
{
	return type == EVENT_GTID || type == EVENT_ANONYMOUS_GTID || type == EVENT_GTID_TAGGED ||
	       type == EVENT_MARIADB_GTID;
}

/* The body has @body_size bytes of which the caller gave @given. */
static int check_size(const struct event_header *header, size_t given, size_t body_size,
		      struct error *err)
{
	size_t needed = EVENT_HEADER_SIZE + body_size;

	if (header->length < needed || given < needed)
		return error_set(err, ERROR_DEFECT, "%s of %zu bytes is too short",
				 event_type_name(header->type), MIN((size_t)header->length, given));
	return 0;
}

static int decode_mariadb(const struct event_header *header, const uint8_t *event, size_t size,
			  struct gtid_event *ret_event, struct error *err)
{
	struct mariadb_gtid_body body;
	int r = check_size(header, size, sizeof(body), err);

	if (r < 0)
		return r;
	memcpy(&body, event + EVENT_HEADER_SIZE, sizeof(body));
	*ret_event = (struct gtid_event){.is_known = true, .flags = body.flags};
	gtid_group_mariadb(&ret_event->gtid.group, le32_get(body.domain), header->server_id);
	ret_event->gtid.sequence = le64_get(body.sequence);
	return 0;
}

static int decode_mysql(const struct event_header *header, const uint8_t *event, size_t size,
			struct gtid_event *ret_event, struct error *err)
{
	struct mysql_gtid_body body;
	uint64_t sequence;
	int r = check_size(header, size, sizeof(body), err);

	if (r < 0)
		return r;
	memcpy(&body, event + EVENT_HEADER_SIZE, sizeof(body));
	sequence = le64_get(body.sequence);
	if (sequence == 0 || sequence > INT64_MAX)
		return error_set(err, ERROR_DEFECT, "GTID with the number %" PRIu64, sequence);
	*ret_event = (struct gtid_event){.is_known = true};
	gtid_group_mysql(&ret_event->gtid.group, body.uuid);
	ret_event->gtid.sequence = sequence;
	return 0;
}

int gtid_event_decode(const struct event_header *header, const uint8_t *event, size_t size,
		      struct gtid_event *ret_event, struct error *err)
{
	switch (header->type) {
	case EVENT_MARIADB_GTID:
		return decode_mariadb(header, event, size, ret_event, err);
	case EVENT_GTID:
		return decode_mysql(header, event, size, ret_event, err);
	case EVENT_ANONYMOUS_GTID:
	case EVENT_GTID_TAGGED:
		*ret_event = (struct gtid_event){0};
		return 0;
	default:
		return error_set(err, ERROR_DEFECT, "event of type %u (%s) carries no GTID",
				 header->type, event_type_name(header->type));
	}
}

int gtid_list_decode(const uint8_t *event, size_t size, size_t crc_size, struct gtid_list *ret_list,
		     struct error *err)
{
	const size_t start = EVENT_HEADER_SIZE + sizeof(le32);
	struct event_header header;
	uint32_t field;
	uint64_t needed;
	int r = event_header_decode(event, size, &header, err);

	if (r < 0)
		return r;
	if (header.type != EVENT_MARIADB_GTID_LIST)
		return error_set(err, ERROR_DEFECT,
				 "event is of type %u (%s) where GTID_LIST is expected",
				 header.type, event_type_name(header.type));
	if (header.length != size || size < start + crc_size)
		return error_set(err, ERROR_DEFECT,
				 "GTID_LIST gives a length of %u, but has %zu bytes", header.length,
				 size);
	field = get_le32(event + EVENT_HEADER_SIZE);
	needed = (uint64_t)(field & GTID_LIST_COUNT_MASK) * sizeof(struct gtid_list_item);
	/*
	 * Longer than its entries is right: an empty list is padded, so that a server that does
	 * not know the event can be sent a dummy of its size (MariaDB, Gtid_list_log_event).
	 */
	if (needed > size - start - crc_size)
		return error_set(err, ERROR_DEFECT,
				 "GTID_LIST of %zu bytes is too short for %u "
				 "entries",
				 size, field & GTID_LIST_COUNT_MASK);
	*ret_list = (struct gtid_list){
		.entries = event + start,
		.count = field & GTID_LIST_COUNT_MASK,
		.flags = (uint8_t)(field >> GTID_LIST_FLAG_SHIFT),
	};
	return 0;
}

void gtid_list_entry(const struct gtid_list *list, uint32_t index, struct gtid *ret_gtid)
{
	struct gtid_list_item item;

	ASSERT(index < list->count);
	memcpy(&item, list->entries + (size_t)index * sizeof(item), sizeof(item));
	gtid_group_mariadb(&ret_gtid->group, le32_get(item.domain), le32_get(item.server_id));
	ret_gtid->sequence = le64_get(item.sequence);
}
