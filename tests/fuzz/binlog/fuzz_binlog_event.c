/* Any bytes as one event: every decoder of a single event, and the CRC in two pieces. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "binlog/event.h"
#include "binlog/format.h"
#include "binlog/gtid_text.h"
#include "binlog/heartbeat.h"
#include "binlog/previous_gtids.h"
#include "binlog/rotate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void crc_in_two_pieces(const uint8_t *data, size_t size)
{
	struct event_crc crc;
	struct error err;
	size_t cut = size ? data[0] % size : 0;
	int whole = event_crc_check_whole(data, size, &err);

	if (event_crc_init(&crc, (uint32_t)size, &err) < 0)
		return;
	event_crc_update(&crc, data, cut);
	event_crc_update(&crc, data + cut, size - cut);
	ASSERT(event_crc_check(&crc, &err) == whole);
}

static void format_and_normalise(const uint8_t *data, size_t size)
{
	struct format format, normalised;
	struct error err;
	uint8_t *copy;

	if (format_decode(data, size, &format, &err) < 0)
		return;
	copy = malloc(size);
	ASSERT(copy);
	memcpy(copy, data, size);
	ASSERT(format_normalise(copy, size, &err) == 0);
	ASSERT(format_decode(copy, size, &normalised, &err) == 0);
	ASSERT(!normalised.in_use && normalised.checksum == format.checksum);
	free(copy);
}

static void gtids(const uint8_t *data, size_t size)
{
	struct event_header header;
	struct gtid_event event;
	struct gtid_list list;
	struct error err;
	char text[GTID_TEXT_SIZE];

	if (event_header_decode(data, size, &header, &err) < 0)
		return;
	if (gtid_event_decode(&header, data, size, &event, &err) == 0 && event.is_known)
		ASSERT(gtid_format(&event.gtid, text, &err) == 0);
	if (gtid_list_decode(data, size, data[0] & 4, &list, &err) == 0)
		for (uint32_t i = 0; i < list.count; i++) {
			gtid_list_entry(&list, i, &event.gtid);
			ASSERT(gtid_format(&event.gtid, text, &err) == 0);
		}
}

static bool interval_equal(const struct gtid_interval *a, const struct gtid_interval *b)
{
	return gtid_group_equal(&a->group, &b->group) && a->first == b->first && a->last == b->last;
}

/* What is read of a set, and written as a text, is read from the text again. */
static void previous_gtids(const uint8_t *data, size_t size, size_t crc_size)
{
	static char text[1 << 20];
	struct previous_gtids list, again;
	struct gtid_interval interval, expected;
	struct gtid_text_writer writer;
	struct gtid_text reader;
	struct error err;
	size_t count = 0;
	int r;

	if (previous_gtids_decode(data, size, crc_size, &list, &err) < 0)
		return;
	again = list;
	gtid_text_writer_init(&writer, text, sizeof(text));
	while ((r = previous_gtids_next(&list, &interval, &err)) > 0) {
		ASSERT(interval.first >= 1 && interval.first <= interval.last);
		ASSERT(++count <= size / 16);
		ASSERT(gtid_text_writer_add(&writer, &interval, &err) == 0);
	}
	if (r < 0 || writer.is_cut)
		return;
	gtid_text_init(&reader, FLAVOUR_MYSQL, text);
	while (count-- > 0) {
		ASSERT(previous_gtids_next(&again, &expected, &err) == 1);
		ASSERT(gtid_text_next(&reader, &interval, &err) == 1);
		ASSERT(interval_equal(&interval, &expected));
	}
	ASSERT(gtid_text_next(&reader, &interval, &err) == 0);
}

static void heartbeats(const uint8_t *data, size_t size, size_t crc_size)
{
	struct heartbeat heartbeat;
	struct error err;

	for (int flavour = FLAVOUR_MARIADB; flavour <= FLAVOUR_MYSQL; flavour++)
		if (heartbeat_decode(data, size, crc_size, (enum flavour)flavour, &heartbeat,
				     &err) == 0) {
			ASSERT(name_check_binlog(heartbeat.file, &err) == 0);
			ASSERT(!heartbeat.is_modulo || heartbeat.position <= UINT32_MAX);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rotate rotate;
	struct error err;

	crc_in_two_pieces(data, size);
	format_and_normalise(data, size);
	for (int crc = ROTATE_CRC_NONE; crc <= ROTATE_CRC_PROBE; crc++)
		if (rotate_decode(data, size, (enum rotate_crc)crc, &rotate, &err) == 0)
			ASSERT(name_check_binlog(rotate.file, &err) == 0);
	gtids(data, size);
	for (size_t crc_size = 0; crc_size <= EVENT_CRC_SIZE; crc_size += EVENT_CRC_SIZE) {
		previous_gtids(data, size, crc_size);
		heartbeats(data, size, crc_size);
	}
	return 0;
}
