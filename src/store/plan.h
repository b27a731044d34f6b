/*
 * The sealed segments of one source, put in order and checked for gaps: what `list` shows and what
 * a restore reads. Built from leaves alone; leaves may be added in any number while none is read.
 *
 * Order: the generations in the order of their first leaf; within one, binlog files in the order of
 * their first leaf; within a file, by start position. Whole when each file begins at position 4
 * (the first of all may not), each segment begins where the one before ends, each file but the
 * last has an end that names the next one, and the leaf of each generation but the first says that
 * nothing is missing before it. Where a server wrote the end of a file anew, the new end counts;
 * the old one is kept apart, and is read as its generation's own (limits.generation).
 *
 * Bytes may be archived twice (a pending segment sealed late, after the same bytes were pulled
 * again): the segments that join and reach furthest are the plan; the others are kept apart as
 * overlaps, and no restore reads them.
 *
 * Owns: copies of what it needs. Threads: one.
 */
#pragma once

#include "store/gap_record.h"
#include "store/generation_record.h"
#include "store/period_record.h"
#include "store/request_record.h"
#include "store/segment_record.h"

struct plan;

struct plan_segment {
	uint64_t leaf_index;  /* of the sealed leaf */
	uint64_t sealed_usec; /* its time */
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint8_t period_id[SEGMENT_ID_SIZE];
	uint8_t header_bytes[SEGMENT_HEADER_SIZE];
	char path[SEGMENT_PATH_SIZE];
	char binlog_file[BINLOG_NAME_MAX + 1];
	struct hash generation;
	struct hash file_id;
	struct hash file_hash;
	uint64_t file_size;
	uint64_t start_position;
	struct segment_end end;	 /* end.summary.event_end is the good end */
	bool last_of_file;	 /* as far as is archived: no segment of this file follows */
	bool file_complete;	 /* last_of_file, and the server ended the file there */
	size_t generation_index; /* for plan_generation_at() */
};

/* One generation of what is planned. */
struct plan_generation {
	struct hash generation;
	uint8_t identity[SEGMENT_IDENTITY_SIZE];
	bool overlaps; /* it may hold transactions of the one before: those are skipped */
	struct gtid_snapshot gtids_archived; /* all of the source, with it */
	uint64_t opened_index;		     /* of the segment that this is known by */
	bool has_record;		     /* all but the first */
	struct generation_record record;
	char accepted[GAP_ACCEPTED_TEXT_SIZE]; /* its gap, by whom and why; "": by nobody */
};

#define PLAN_GAP_SIZE (GENERATION_SENTENCE_SIZE + GAP_ACCEPTED_TEXT_SIZE + 2)

/* A hole: sentence and the files it lies between. */
struct plan_gap {
	size_t before; /* position in the plan of the segment that follows it */
	bool accepted;
	char sentence[PLAN_GAP_SIZE]; /* with who accepted it, and why */
};

struct plan *plan_new(const char *source);
void plan_free(struct plan *plan);
DEFINE_CLEANUP(plan_free, struct plan *);

/* Take a leaf of any type; those of other sources and types are passed over. */
int plan_add(struct plan *plan, const json_t *object, struct error *err) MUST_CHECK;

/*
 * Put in order, cut to the request: from @from_file ("" or NULL: the first archived) of the newest
 * generation that holds it; to the file and position, or, for a time, to all that follows (times
 * are only search hints: what ends before it is what export finds). ERROR_NOT_FOUND if a file that
 * is named is not archived, with what is. After this nothing is added any more.
 */
struct plan_limits {
	const char *from_file;
	const char *generation; /* the first digits of one: only that; "" or NULL: all */
	enum request_limit limit;
	uint64_t limit_usec;
	const char *limit_file;
	uint64_t limit_position;
};
int plan_finish(struct plan *plan, const struct plan_limits *limits /* NULL: all */,
		struct error *err) MUST_CHECK;

size_t plan_count(const struct plan *plan);
const struct plan_segment *plan_at(const struct plan *plan, size_t position);
size_t plan_gap_count(const struct plan *plan);
const struct plan_gap *plan_gap_at(const struct plan *plan, size_t position);
size_t plan_overlap_count(const struct plan *plan);
const struct plan_segment *plan_overlap_at(const struct plan *plan, size_t position);
uint64_t plan_byte_count(const struct plan *plan); /* of the files of plan_at() */

/* The generations of plan_at(), in their order. */
size_t plan_generation_count(const struct plan *plan);
const struct plan_generation *plan_generation_at(const struct plan *plan, size_t position);

/* The period of a planned segment. */
const struct period_record *plan_period(const struct plan *plan,
					const struct plan_segment *segment);
