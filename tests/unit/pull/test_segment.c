/*
 * A segment on two volumes whose disks complete when the test says so: late, in any order, in
 * parts, not at all. What is granted is compared with what stands on the disks.
 */
#include "unit/cmocka_prelude.h"

#include "pull/segment.h"

#include <errno.h>

#include "unit/volume/segment_builder.h"

#define VOLUMES 2
#define SEEDS	40
#define STEPS	120

/* What ring_append() was asked for, by tag. */
static struct append {
	int fd;
	const uint8_t *bytes;
	size_t size;
	bool in_flight;
} appends[VOLUMES];

void ring_append(struct ring *ring, int fd, const void *buffer, size_t size, uint32_t tag)
{
	(void)ring;
	assert_true(tag < VOLUMES);
	assert_false(appends[tag].in_flight);
	appends[tag] = (struct append){fd, buffer, size, true};
}

static struct builder builder; /* header and key; its writer is not used */
static struct segment *segment;
static int disks[VOLUMES]; /* what a reader sees of each volume */
static uint64_t position, requested, granted, seed;
static struct error err;

static void begin(void)
{
	struct segment_opened opened;
	int fds[VOLUMES];

	builder_init(&builder);
	memcpy(opened.header, builder.header_bytes, sizeof(opened.header));
	memcpy(opened.key, builder.key.bytes, sizeof(opened.key));
	for (size_t i = 0; i < VOLUMES; i++) {
		disks[i] = memfd_create("volume", MFD_CLOEXEC);
		assert_int_equal(write(disks[i], builder.file, builder.size), builder.size);
		fds[i] = dup(disks[i]);
	}
	assert_ok(segment_new(NULL, 0, &opened, fds, VOLUMES, 1, &segment, &err), &err);
	position = BUILDER_START;
	requested = granted = 0;
}

static void end(void)
{
	segment_free(segment);
	for (size_t i = 0; i < VOLUMES; i++)
		close(disks[i]);
	builder_release(&builder);
}

static void add(size_t size, bool request)
{
	static uint8_t bytes[64 << 10];
	struct segment_event event = {.position = position, .length = size, .crc = 1};

	assert_true(size <= sizeof(bytes));
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)builder_next(&builder.seed); /* does not compress */
	assert_int_equal(segment_writer_add(segment_writer(segment), bytes, size), size);
	segment_writer_event_end(segment_writer(segment), &event);
	position += size;
	if (!request)
		return;
	segment_request(segment, position);
	requested = position;
}

/* The first @size bytes reach the disk, or none if it is an error. Returns segment_appended()'s. */
static int complete(uint32_t tag, int size)
{
	struct append *append = &appends[tag];

	assert_true(append->in_flight);
	append->in_flight = false;
	if (size > 0)
		assert_int_equal(write(append->fd, append->bytes, (size_t)size), size);
	return segment_appended(segment, tag, size, &err);
}

static int complete_whole(uint32_t tag)
{
	return complete(tag, (int)appends[tag].size);
}

/* Whatever is granted can be read back from every volume, and nothing is granted twice. */
static void check(void)
{
	uint64_t now = segment_take_granted(segment);

	if (now == 0)
		return;
	assert_true(now > granted && now <= requested);
	granted = now;
	for (size_t i = 0; i < VOLUMES; i++) {
		struct segment_scan scan;

		assert_ok(segment_scan(disks[i], &builder.key, &scan, &err), &err);
		assert_true((scan.sealed ? scan.end.summary.event_end
					 : scan.state.summary.event_end) >= now);
		segment_scan_release(&scan);
	}
	assert_int_equal(segment_take_granted(segment), 0);
}

static void nothing_is_granted_before_every_volume_has_the_whole_frame(void **state)
{
	(void)state;
	begin();
	add(10000, true);
	assert_true(segment_requested(segment) && segment_owes(segment));
	assert_int_equal(segment_take_granted(segment), 0);
	segment_flush(segment, 1);
	assert_false(segment_requested(segment));
	assert_int_equal(segment_take_granted(segment), 0);
	assert_int_equal(complete_whole(0), 0);
	assert_int_equal(segment_take_granted(segment), 0);
	assert_int_equal(complete(1, BUILDER_BLOCK_SIZE), 0);
	assert_int_equal(segment_take_granted(segment), 0);
	assert_true(segment_owes(segment));
	assert_int_equal(complete_whole(1), 1);
	assert_false(segment_owes(segment));
	check();
	assert_int_equal(granted, position);
	end();
}

static void a_full_volume_holds_the_grant_back(void **state)
{
	(void)state;
	begin();
	add(100, true);
	segment_flush(segment, 1);
	assert_int_equal(complete_whole(0), 0);
	assert_fails(complete(1, -ENOSPC), &err, ERROR_NO_SPACE, "the volume is full");
	assert_int_equal(segment_take_granted(segment), 0);
	segment_retry(segment);
	assert_int_equal(complete_whole(1), 1);
	check();
	assert_int_equal(granted, position);
	end();
}

static void a_disk_that_failed_grants_nothing(void **state)
{
	(void)state;
	begin();
	add(100, true);
	segment_flush(segment, 1);
	assert_int_equal(complete_whole(0), 0);
	assert_fails(complete(1, -EIO), &err, ERROR_IO, "final for this file");
	assert_int_equal(segment_take_granted(segment), 0);
	end();
}

static void each_frame_grants_its_own_newest_request(void **state)
{
	uint64_t first;

	(void)state;
	begin();
	add(100, true);
	add(100, true);
	first = position;
	segment_flush(segment, 1);
	add(100, true);
	add(100, false);
	segment_flush(segment, 2);
	complete_whole(1);
	complete_whole(0);
	check();
	assert_int_equal(granted, first);
	complete_whole(0);
	complete_whole(1);
	check();
	assert_int_equal(granted, first + 100);
	end();
}

static void a_request_that_comes_again_waits_for_what_stands_before_it(void **state)
{
	(void)state;
	begin();
	add(100, false);
	segment_request(segment, position);
	requested = position;
	segment_flush(segment, 1);
	segment_request(segment, position);
	assert_int_equal(segment_take_granted(segment), 0);
	complete_whole(0);
	complete_whole(1);
	assert_int_equal(segment_take_granted(segment), position);
	/* Nothing stands: it is durable already. */
	segment_request(segment, position);
	assert_int_equal(segment_take_granted(segment), position);
	end();
}

static void requests_of_a_lost_connection_are_forgotten(void **state)
{
	(void)state;
	begin();
	add(100, true);
	segment_flush(segment, 1);
	add(100, true);
	segment_forget_requests(segment);
	assert_false(segment_owes(segment));
	complete_whole(0);
	complete_whole(1);
	segment_flush(segment, 2);
	complete_whole(0);
	complete_whole(1);
	assert_int_equal(segment_take_granted(segment), 0);
	end();
}

static void an_end_grants_nothing_of_itself(void **state)
{
	(void)state;
	begin();
	add(100, true);
	segment_flush(segment, 1);
	assert_ok(segment_queue_end(segment, SEGMENT_ENDED_SIZE, NULL, 2, &err), &err);
	complete_whole(0);
	complete_whole(1);
	check();
	assert_int_equal(granted, position);
	complete_whole(1);
	complete_whole(0);
	assert_int_equal(segment_take_granted(segment), 0);
	end();
}

static uint64_t pick(uint64_t limit)
{
	return builder_next(&seed) % limit;
}

/* One disk goes on: wholly, by some blocks, or finds itself full. */
static void complete_somehow(void)
{
	uint32_t tag = (uint32_t)pick(VOLUMES);
	size_t blocks;

	if (!appends[tag].in_flight)
		return;
	blocks = appends[tag].size / BUILDER_BLOCK_SIZE;
	switch (pick(4)) {
	case 0:
		assert_fails(complete(tag, -ENOSPC), &err, ERROR_NO_SPACE, "the volume is full");
		return;
	case 1:
		blocks = 1 + pick(blocks);
		break;
	default:
		break;
	}
	assert_true(complete(tag, (int)(blocks * BUILDER_BLOCK_SIZE)) >= 0);
}

static void one_step(void)
{
	const struct segment_writer *writer = segment_writer(segment);

	switch (pick(5)) {
	case 0:
	case 1:
		if (segment_writer_pending(writer) < 300000)
			add(1 + pick(pick(10) ? 500 : 60000), pick(3) == 0);
		break;
	case 2:
		if (segment_writer_pending(writer) > 0 && segment_writer_ready(writer))
			segment_flush(segment, 1);
		break;
	case 3:
		segment_retry(segment);
		break;
	default:
		complete_somehow();
		break;
	}
	check();
}

/* Whatever the order, and in the end nobody is left waiting. */
static void any_order_of_completions_keeps_the_promise(void **state)
{
	(void)state;
	for (uint64_t s = 1; s <= SEEDS; s++) {
		seed = s;
		memset(appends, 0, sizeof(appends));
		begin();
		for (int step = 0; step < STEPS; step++)
			one_step();
		while (segment_owes(segment)) {
			if (segment_frames(segment) == 0)
				segment_flush(segment, 1);
			segment_retry(segment);
			for (uint32_t tag = 0; tag < VOLUMES; tag++) {
				if (appends[tag].in_flight)
					assert_true(complete_whole(tag) >= 0);
			}
			check();
		}
		if (granted != requested)
			fail_msg("seed %d: granted to %d, requested to %d", (int)s, (int)granted,
				 (int)requested);
		while (segment_in_flight(segment)) {
			for (uint32_t tag = 0; tag < VOLUMES; tag++) {
				if (appends[tag].in_flight)
					assert_true(complete_whole(tag) >= 0);
			}
		}
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_granted_before_every_volume_has_the_whole_frame),
		cmocka_unit_test(a_full_volume_holds_the_grant_back),
		cmocka_unit_test(a_disk_that_failed_grants_nothing),
		cmocka_unit_test(each_frame_grants_its_own_newest_request),
		cmocka_unit_test(a_request_that_comes_again_waits_for_what_stands_before_it),
		cmocka_unit_test(requests_of_a_lost_connection_are_forgotten),
		cmocka_unit_test(an_end_grants_nothing_of_itself),
		cmocka_unit_test(any_order_of_completions_keeps_the_promise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
