#include "binlog/previous_gtids.h"

#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "binlog/serialized.h"

#define COUNT_SIZE    8
#define INTERVAL_SIZE 16
#define GROUP_SIZE    (GTID_UUID_SIZE + COUNT_SIZE) /* at least */

/* The highest byte of the count says which encoding it is. */
#define ENCODING_SHIFT	 56
#define ENCODING_CLASSIC 0
#define ENCODING_TAGS	 1

static void go_forward(struct previous_gtids *list, size_t size)
{
	list->bytes += size;
	list->size -= size;
}

static int decode_count(struct previous_gtids *list, struct error *err)
{
	uint64_t field = get_le64(list->bytes);
	uint64_t encoding = field >> ENCODING_SHIFT;

	go_forward(list, COUNT_SIZE);
	list->groups_left = field & ((1ULL << ENCODING_SHIFT) - 1);
	if (encoding == ENCODING_TAGS && (field & 0xff) == ENCODING_TAGS) {
		list->has_tags = true;
		list->groups_left >>= 8;
	} else if (encoding != ENCODING_CLASSIC) {
		return error_set(err, ERROR_DEFECT,
				 "PREVIOUS_GTIDS begins with %016" PRIx64
				 ": an encoding that is not known",
				 field);
	}
	if (list->groups_left > list->size / GROUP_SIZE)
		return error_set(err, ERROR_DEFECT,
				 "PREVIOUS_GTIDS has no room for %" PRIu64 " groups in %zu bytes",
				 list->groups_left, list->size);
	return 0;
}

int previous_gtids_decode(const uint8_t *event, size_t size, size_t crc_size,
			  struct previous_gtids *ret_list, struct error *err)
{
	struct previous_gtids list = {0};
	struct event_header header;
	int r = event_header_decode(event, size, &header, err);

	if (r < 0)
		return r;
	if (header.type != EVENT_PREVIOUS_GTIDS)
		return error_set(err, ERROR_DEFECT,
				 "event is of type %u (%s) where PREVIOUS_GTIDS is expected",
				 header.type, event_type_name(header.type));
	if (header.length != size || size < EVENT_HEADER_SIZE + COUNT_SIZE + crc_size)
		return error_set(err, ERROR_DEFECT,
				 "PREVIOUS_GTIDS gives a length of %u, but has %zu bytes",
				 header.length, size);
	list.bytes = event + EVENT_HEADER_SIZE;
	list.size = size - EVENT_HEADER_SIZE - crc_size;
	r = decode_count(&list, err);
	if (r < 0)
		return r;
	*ret_list = list;
	return 0;
}

static int cut_off(struct error *err)
{
	return error_set(err, ERROR_DEFECT, "PREVIOUS_GTIDS ends in the middle of a group");
}

/* The UUID and the tag of the next group, and how many intervals follow. */
static int next_group(struct previous_gtids *list, struct error *err)
{
	const uint8_t *uuid = list->bytes, *tag = NULL;
	uint64_t tag_size = 0;
	int r;

	if (list->size < GROUP_SIZE)
		return cut_off(err);
	go_forward(list, GTID_UUID_SIZE);
	if (list->has_tags) {
		struct serialized rest = {list->bytes, list->size};

		if (!serialized_unsigned(&rest, &tag_size) || tag_size > rest.size)
			return cut_off(err);
		tag = rest.bytes;
		go_forward(list, list->size - rest.size + (size_t)tag_size);
	}
	r = gtid_group_tagged(&list->group, uuid, tag, (size_t)tag_size, err);
	if (r < 0)
		return error_prefix(err, "PREVIOUS_GTIDS");
	if (list->size < COUNT_SIZE)
		return cut_off(err);
	list->intervals_left = get_le64(list->bytes);
	list->end = 0;
	go_forward(list, COUNT_SIZE);
	if (list->intervals_left > list->size / INTERVAL_SIZE)
		return error_set(err, ERROR_DEFECT,
				 "PREVIOUS_GTIDS has no room for %" PRIu64
				 " intervals in %zu bytes",
				 list->intervals_left, list->size);
	list->groups_left--;
	return 0;
}

/* The room for it has been checked with the count. */
static int next_interval(struct previous_gtids *list, struct gtid_interval *ret_interval,
			 struct error *err)
{
	uint64_t first = get_le64(list->bytes), end = get_le64(list->bytes + 8);

	go_forward(list, INTERVAL_SIZE);
	list->intervals_left--;
	/* Those that touch are one: the server refuses them too. */
	if (first <= list->end || end <= first || end - 1 > GTID_MYSQL_LAST)
		return error_set(err, ERROR_DEFECT,
				 "PREVIOUS_GTIDS has an interval from %" PRIu64
				 " to before %" PRIu64 " behind one that ends before %" PRIu64,
				 first, end, list->end);
	list->end = end;
	ret_interval->group = list->group;
	ret_interval->first = first;
	ret_interval->last = end - 1;
	return 1;
}

int previous_gtids_next(struct previous_gtids *list, struct gtid_interval *ret_interval,
			struct error *err)
{
	while (list->intervals_left == 0) {
		int r;

		if (list->groups_left == 0 && list->size != 0)
			return error_set(err, ERROR_DEFECT,
					 "PREVIOUS_GTIDS has %zu bytes behind its last group",
					 list->size);
		if (list->groups_left == 0)
			return 0;
		r = next_group(list, err);
		if (r < 0)
			return r;
	}
	return next_interval(list, ret_interval, err);
}
