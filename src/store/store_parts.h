/*
 * What store.c, store_create.c, store_ledger.c and segment_file.c share. For this folder only.
 */
#pragma once

#include "io/file.h"
#include "ledger/checkpoint_file.h"
#include "ledger/log.h"
#include "store/store.h"

#define IDENTITY_FILE	     "archive.id"
#define IDENTITY_SIZE	     512
#define LEDGER_DIRECTORY     "ledger"
#define SEGMENTS_DIRECTORY   "segments"
#define STORE_DIRECTORY_MODE 02750
#define STORE_FILE_MODE	     0640

struct store_volume {
	struct store *store;
	size_t number;
	char *path;
	int root_fd, ledger_fd;
	int identity_fd; /* holds the lock, with STORE_WRITE */
	uint8_t id[STORE_ID_SIZE];
	struct hash identity_hash; /* of archive.id */
	struct log_reader *reader; /* between reading and opening */
	struct log *log;
	struct checkpoint_file *checkpoints;
};

/*
 * Invariants:
 *  1. state, tree and tail hold exactly the durable leaves of volume 0;
 *  2. tail_tree is the tree before tail[0], and tail reaches to the end of the ledger.
 */
struct store {
	enum store_access access;
	size_t volume_count;
	struct store_volume volumes[CONFIG_VOLUMES_MAX];
	uint8_t archive_id[STORE_ID_SIZE];
	char origin[ORIGIN_SIZE];
	char name[RECORD_TEXT_SIZE]; /* while it is being created */
	enum worm_mode worm;
	uint64_t leaves_per_file;
	uint32_t block_size;
	uid_t owner; /* of what is made, (uid_t)-1: the caller */
	gid_t group;

	struct state *state;
	struct tree tree;
	struct tree tail_tree;
	struct hash *tail;
	size_t tail_count, tail_capacity;

	uint64_t checkpoint_size; /* 0: none */
	struct hash checkpoint_root;
	struct error broken; /* why nothing more is written; code 0: nothing is */
};

/* What archive.id says. */
struct identity {
	uint8_t archive_id[STORE_ID_SIZE];
	uint8_t volume_id[STORE_ID_SIZE];
	struct hash hash; /* of the file */
};
int identity_read(int root_fd, struct identity *ret, struct error *err) MUST_CHECK;
int identity_encode(const struct identity *identity, char text[static IDENTITY_SIZE],
		    struct error *err) MUST_CHECK;

struct store *store_new(enum store_access access);

/* Open directory, archive.id and, for writing, the lock. */
int store_volume_open(struct store *store, size_t number, const char *path,
		      struct error *err) MUST_CHECK;
int store_volume_take_identity(struct store_volume *volume, struct error *err) MUST_CHECK;

/* Read the ledger's end and fold it; then, with STORE_WRITE, open it for appending. */
int store_ledger_read(struct store *store, struct error *err) MUST_CHECK;
int store_ledger_open(struct store *store, struct error *err) MUST_CHECK;
/* The checkpoints file, and the last note against the leaves. After both. */
int store_checkpoints_open(struct store *store, struct error *err) MUST_CHECK;

/* Owner, group, mode and, where WORM is required, the flag of a new file or directory. */
int store_adopt(const struct store *store, int fd, mode_t mode, enum file_protection protection,
		struct error *err) MUST_CHECK;

/* CAP_LINUX_IMMUTABLE effective? */
bool store_may_protect(void);
