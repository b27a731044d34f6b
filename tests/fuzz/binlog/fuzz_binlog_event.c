/* Any bytes as one event: every decoder of a single event, and the CRC in two pieces. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "binlog/event.h"
#include "binlog/format.h"
#include "binlog/gtid.h"
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
	return 0;
}
