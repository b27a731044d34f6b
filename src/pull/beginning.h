/*
 * The first events of a binlog file, held back until they say which file it is: FORMAT_DESCRIPTION,
 * with MariaDB's encryption START_ENCRYPTION, then PREVIOUS_GTIDS or GTID_LIST, which names the
 * transactions that precede the file. Every file of a server that is archived begins so, if the
 * handshake was honest: without it, the server sends something else there, with right checksums.
 *
 * Owns: copies of what is held; plain values. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binlog/format.h"
#include "pull/file_id.h"
#include "pull/receiver.h"

#define BEGINNING_EVENTS_MAX 2
#define BEGINNING_SECOND_MAX 128 /* START_ENCRYPTION has 40 bytes */

struct beginning {
	size_t count; /* of events that are held; 0: no file is beginning */
	struct segment_event events[BEGINNING_EVENTS_MAX];
	size_t sizes[BEGINNING_EVENTS_MAX];
	uint8_t bytes[FORMAT_EVENT_MAX + BEGINNING_SECOND_MAX]; /* one behind the other */
};

void beginning_clear(struct beginning *beginning);

/*
 * The next event of a file from position 4 on, with the file's FORMAT_DESCRIPTION as it came. 1: it
 * is held; 0: it is the one that names what precedes the file. ERROR_REFUSED: neither.
 */
int beginning_take(struct beginning *beginning, enum flavour flavour, const char *file,
		   const struct received *item, const uint8_t *format_event, size_t format_size,
		   struct error *err) MUST_CHECK;

/* The file id, with @last, the event that beginning_take() did not hold. */
void beginning_file_id(const struct beginning *beginning, const struct identity *identity,
		       const char *file, const struct received *last, struct hash *ret_id);
