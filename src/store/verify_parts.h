/*
 * What verify.c (ledger, leaves, files) and verify_segments.c (bytes) share. For this folder only.
 */
#pragma once

#include <pthread.h>

#include "ledger/checkpoint.h"
#include "store/state.h"
#include "store/store_parts.h"
#include "store/verify.h"

/* A segment as the leaves know it. */
struct known_segment {
	uint64_t opened_index, sealed_index;
	bool sealed;
	uint8_t id[SEGMENT_ID_SIZE];
	char path[SEGMENT_PATH_SIZE];
	uint8_t header_bytes[SEGMENT_HEADER_SIZE];
	uint64_t size; /* this and what follows: of a sealed one */
	struct hash hash;
	size_t chunk_count;
	struct hash *chunks; /* owned */
};

/* A path that some leaf accounts for, sorted before it is searched. */
struct known_path {
	char *path;
	bool orphan;
};

/* One volume while it is audited. */
struct audit_volume {
	struct audit *audit;
	const char *path;
	int root_fd, ledger_fd;
	struct identity identity;
	struct state *state;
	struct checkpoint_keys keys;
	struct public_key *owned_keys[CHECKPOINT_KEYS_MAX];
	char (*found)[SEGMENT_PATH_SIZE]; /* files below segments/ */
	size_t found_count, found_capacity;
	uint64_t leaf_count;
	struct hash root;
	bool fold_failed; /* told once: what follows would only repeat it */
	bool required;	  /* the policy leaf requires WORM */
};

struct audit {
	const struct verify_options *options;
	struct verify_result *result;
	pthread_mutex_t lock; /* for reports and everything below */
	pthread_cond_t changed;
	struct audit_volume volumes[CONFIG_VOLUMES_MAX];
	/* Of volume 0's leaves, or of the first that has more. */
	struct known_segment **segments;
	size_t segment_count, segment_capacity;
	struct known_path *paths;
	size_t path_count, path_capacity;
	/* Jobs: segment_count times volume_count. */
	size_t next_job, running;
	uint64_t byte_total;
	size_t buffer_size; /* of the largest chunk */
};

/* A defect of a volume; takes the lock. */
void audit_report(struct audit *audit, const struct audit_volume *volume, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The bytes of all sealed segments, and the headers of the open ones, on all volumes. */
int audit_segments(struct audit *audit, struct error *err) MUST_CHECK;

/* Where WORM is required: is the flag there? Else a defect, or counted on a copy. */
void audit_flag(struct audit_volume *volume, int fd, const char *path, enum file_protection least);
