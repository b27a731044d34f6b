#include "binlog/gtid.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/endian.h"
#include "binlog/serialized.h"

#define FORM_MARIADB 'M'
#define FORM_MYSQL   'Y'

struct group_mariadb {
	uint8_t form;
	le32 domain;
	le32 server_id;
};

struct group_mysql {
	uint8_t form;
	uint8_t uuid[GTID_UUID_SIZE];
};

_Static_assert(sizeof(struct group_mariadb) == 9, "layout of a MariaDB group");
_Static_assert(sizeof(struct group_mysql) == 17, "layout of a MySQL group");
_Static_assert(sizeof(struct group_mysql) + GTID_TAG_MAX <= GTID_GROUP_SIZE, "room for a tag");

/* Behind the event header. */
struct mariadb_gtid_body {
	le64 sequence;
	le32 domain;
	uint8_t flags;
};

struct mysql_gtid_body {
	uint8_t flags;
	uint8_t uuid[GTID_UUID_SIZE];
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

/*
 * MySQL's GTID_TAGGED, from the event header on: a message of its serialization library. These
 * fields come first, each behind its id and in this order (libs/mysql/binlog/event/
 * control_events.h, Gtid_event::define_fields()); what stands behind them is of no use here.
 */
#define SERIALIZATION_VERSION 1
enum tagged_field {
	TAGGED_FLAGS = 0,
	TAGGED_UUID = 1,
	TAGGED_NUMBER = 2,
	TAGGED_TAG = 3,
	TAGGED_LAST_KNOWN = 11, /* commit_group_ticket */
};

void gtid_group_mariadb(struct gtid_group *ret_group, uint32_t domain, uint32_t server_id)
{
	struct group_mariadb group = {FORM_MARIADB, le32_put(domain), le32_put(server_id)};

	*ret_group = (struct gtid_group){.size = sizeof(group)};
	memcpy(ret_group->bytes, &group, sizeof(group));
}

void gtid_group_mysql(struct gtid_group *ret_group, const uint8_t uuid[GTID_UUID_SIZE])
{
	*ret_group = (struct gtid_group){.size = sizeof(struct group_mysql)};
	ret_group->bytes[0] = FORM_MYSQL;
	memcpy(ret_group->bytes + 1, uuid, GTID_UUID_SIZE);
}

static bool tag_is_valid(const uint8_t *tag, size_t size)
{
	if (size > GTID_TAG_MAX || (size > 0 && tag[0] >= '0' && tag[0] <= '9'))
		return false;
	for (size_t i = 0; i < size; i++)
		if (!(tag[i] >= 'a' && tag[i] <= 'z') && !(tag[i] >= '0' && tag[i] <= '9') &&
		    tag[i] != '_')
			return false;
	return true;
}

int gtid_group_tagged(struct gtid_group *ret_group, const uint8_t uuid[GTID_UUID_SIZE],
		      const uint8_t *tag, size_t tag_size, struct error *err)
{
	if (!tag_is_valid(tag, tag_size))
		return error_set(err, ERROR_DEFECT,
				 "GTID tag of %zu bytes is not [a-z_][a-z0-9_]{0,31}", tag_size);
	gtid_group_mysql(ret_group, uuid);
	if (tag_size > 0)
		memcpy(ret_group->bytes + sizeof(struct group_mysql), tag, tag_size);
	ret_group->size = (uint8_t)(ret_group->size + tag_size);
	return 0;
}

int gtid_group_read(const struct gtid_group *group, struct gtid_group_parts *ret_parts,
		    struct error *err)
{
	struct gtid_group_parts parts = {0};

	if (group->size == sizeof(struct group_mariadb) && group->bytes[0] == FORM_MARIADB) {
		struct group_mariadb mariadb;

		memcpy(&mariadb, group->bytes, sizeof(mariadb));
		parts.flavour = FLAVOUR_MARIADB;
		parts.domain = le32_get(mariadb.domain);
		parts.server_id = le32_get(mariadb.server_id);
	} else if (group->size >= sizeof(struct group_mysql) && group->size <= GTID_GROUP_SIZE &&
		   group->bytes[0] == FORM_MYSQL &&
		   tag_is_valid(group->bytes + sizeof(struct group_mysql),
				group->size - sizeof(struct group_mysql))) {
		parts.flavour = FLAVOUR_MYSQL;
		memcpy(parts.uuid, group->bytes + 1, GTID_UUID_SIZE);
		memcpy(parts.tag, group->bytes + sizeof(struct group_mysql),
		       group->size - sizeof(struct group_mysql));
	} else {
		return error_set(err, ERROR_DEFECT, "GTID group of %u bytes is of no known form",
				 group->size);
	}
	*ret_parts = parts;
	return 0;
}

bool gtid_group_same_domain(const struct gtid_group *a, const struct gtid_group *b)
{
	struct group_mariadb mariadb[2];

	if (a->size != sizeof(mariadb[0]) || b->size != sizeof(mariadb[1]) ||
	    a->bytes[0] != FORM_MARIADB || b->bytes[0] != FORM_MARIADB)
		return false;
	memcpy(&mariadb[0], a->bytes, sizeof(mariadb[0]));
	memcpy(&mariadb[1], b->bytes, sizeof(mariadb[1]));
	return le32_get(mariadb[0].domain) == le32_get(mariadb[1].domain);
}

bool gtid_group_equal(const struct gtid_group *a, const struct gtid_group *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
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

static int check_number(uint64_t number, struct error *err)
{
	if (number < GTID_MYSQL_FIRST || number > GTID_MYSQL_LAST)
		return error_set(err, ERROR_DEFECT, "GTID with the number %" PRIu64, number);
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
	r = check_number(sequence, err);
	if (r < 0)
		return r;
	*ret_event = (struct gtid_event){.is_known = true};
	gtid_group_mysql(&ret_event->gtid.group, body.uuid);
	ret_event->gtid.sequence = sequence;
	return 0;
}

static int tagged_too_short(const struct event_header *header, struct error *err)
{
	return error_set(err, ERROR_DEFECT, "GTID_TAGGED of %u bytes is too short", header->length);
}

/* Version, the message's size (all three included), and the last field that must be understood. */
static int tagged_begin(const struct event_header *header, const uint8_t *event, size_t size,
			struct serialized *ret_fields, struct error *err)
{
	size_t body_size = header->length - EVENT_HEADER_SIZE;
	struct serialized fields;
	uint64_t version, message_size, last_needed;
	size_t given, taken;

	fields.bytes = event + EVENT_HEADER_SIZE;
	fields.size = MIN(size, (size_t)header->length) - EVENT_HEADER_SIZE;
	given = fields.size;
	if (!serialized_unsigned(&fields, &version) ||
	    !serialized_unsigned(&fields, &message_size) ||
	    !serialized_unsigned(&fields, &last_needed))
		return tagged_too_short(header, err);
	if (version != SERIALIZATION_VERSION)
		return error_set(err, ERROR_DEFECT,
				 "GTID_TAGGED is of the serialization version %" PRIu64
				 ", which this version does not know",
				 version);
	taken = given - fields.size;
	/* The message is the body; whether a CRC follows it is not known here. */
	if (message_size < taken ||
	    (message_size != body_size && message_size + EVENT_CRC_SIZE != body_size))
		return error_set(err, ERROR_DEFECT,
				 "GTID_TAGGED with a body of %zu bytes gives it a size of %" PRIu64,
				 body_size, message_size);
	if (last_needed > TAGGED_LAST_KNOWN + 1)
		return error_set(err, ERROR_DEFECT,
				 "GTID_TAGGED has a field %" PRIu64
				 " that must be understood, and is not",
				 last_needed - 1);
	/* Where a prefix ends, a field that is cut off would look like one that is left out. */
	if (message_size > given)
		return tagged_too_short(header, err);
	fields.size = (size_t)message_size - taken;
	*ret_fields = fields;
	return 0;
}

/* Whether field @id comes next; then its id is read. A field that is left out is not there. */
static bool tagged_field(struct serialized *fields, enum tagged_field id)
{
	struct serialized behind = *fields;
	uint64_t next;

	if (!serialized_unsigned(&behind, &next) || next != id)
		return false;
	*fields = behind;
	return true;
}

static bool tagged_uuid(struct serialized *fields, uint8_t *ret_uuid)
{
	for (size_t i = 0; i < GTID_UUID_SIZE; i++) {
		uint64_t byte;

		if (!serialized_unsigned(fields, &byte) || byte > UINT8_MAX)
			return false;
		ret_uuid[i] = (uint8_t)byte;
	}
	return true;
}

static bool tagged_tag(struct serialized *fields, const uint8_t **ret_tag, size_t *ret_size)
{
	uint64_t size;

	if (!serialized_unsigned(fields, &size) || size > fields->size)
		return false;
	*ret_tag = fields->bytes;
	*ret_size = (size_t)size;
	return true;
}

static int decode_tagged(const struct event_header *header, const uint8_t *event, size_t size,
			 struct gtid_event *ret_event, struct error *err)
{
	struct gtid_event decoded = {.is_known = true};
	struct serialized fields;
	uint8_t uuid[GTID_UUID_SIZE];
	const uint8_t *tag = NULL;
	size_t tag_size = 0;
	uint64_t flags;
	int64_t number;
	int r = check_size(header, size, 0, err);

	if (r == 0)
		r = tagged_begin(header, event, size, &fields, err);
	if (r < 0)
		return r;
	if ((tagged_field(&fields, TAGGED_FLAGS) && !serialized_unsigned(&fields, &flags)) ||
	    !tagged_field(&fields, TAGGED_UUID) || !tagged_uuid(&fields, uuid) ||
	    !tagged_field(&fields, TAGGED_NUMBER) || !serialized_signed(&fields, &number) ||
	    (tagged_field(&fields, TAGGED_TAG) && !tagged_tag(&fields, &tag, &tag_size)))
		return error_set(err, ERROR_DEFECT,
				 "GTID_TAGGED lacks a field, or has one that is cut off");
	r = check_number((uint64_t)number, err);
	if (r < 0)
		return r;
	r = gtid_group_tagged(&decoded.gtid.group, uuid, tag, tag_size, err);
	if (r < 0)
		return r;
	decoded.gtid.sequence = (uint64_t)number;
	*ret_event = decoded;
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
	case EVENT_GTID_TAGGED:
		return decode_tagged(header, event, size, ret_event, err);
	case EVENT_ANONYMOUS_GTID:
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
