/*
 * The order "Open" of DURABILITY.md: period → file and header, protected → segment-opened leaf →
 * descriptor and key to the puller; and what it left behind when a crash came between.
 *
 * Owns: nothing between calls. Threads: the loop's.
 * Durable: opening_open() returns 0 only after the leaf is.
 */
#pragma once

#include "keeper/source.h"
#include "store/segment_file.h"

/*
 * ERROR_NO_SPACE if the volume would be left with less than the reserve. The caller sends
 * descriptors and message, then releases and wipes them. *ret_sealing is in state WRITING.
 */
int opening_open(struct source *source, const struct open_segment *request,
		 struct segment_files *ret_files, struct segment_opened *ret_opened,
		 struct sealing **ret_sealing, struct error *err) MUST_CHECK;

/* Is there room for one more segment, and the reserve? ERROR_NO_SPACE and the alarm "volume full"
 * while there is not. */
int opening_check_space(struct keeper *keeper, struct error *err) MUST_CHECK;

/*
 * Before the sources exist: files below segments/ that are no longer than a header and that no leaf
 * knows. A whole header gets its segment-opened leaf now, anything else an `orphan` leaf.
 */
int opening_recover(struct keeper *keeper, struct error *err) MUST_CHECK;
