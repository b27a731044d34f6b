/*
 * One archive on its volumes: identity, ledger, checkpoints, state and segment files, and the order
 * in which they become durable. FORMAT.md is normative. (The names do not begin with `archive_`,
 * which is libarchive's.)
 *
 * Several volumes are written for; this version accepts one.
 *
 * Owns: directory descriptors, the lock, one ledger log a volume, the folded state.
 * Threads: one per object. Readers need no lock: they see a prefix.
 * Durable: when store_append(), store_checkpoint_append() and store_segment_create() return 0, it
 * is durable on every volume. An error other than ERROR_NO_SPACE, ERROR_USAGE and ERROR_DEFECT of
 * an append is final: the store must be opened anew. Crash: store_open(STORE_WRITE) completes what
 * the table in DURABILITY.md says: torn ends get their void leaf; store_create() goes on where
 * another one stopped.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "ledger/leaf.h"
#include "ledger/tree.h"
#include "store/state.h"

#define STORE_GROUP "binvault-audit" /* owns all, if it exists: may read, needs no daemon */

struct store;

struct store_create_options {
	const char *name;
	const char *const *volumes; /* directories that exist */
	size_t volume_count;
	enum worm_mode worm;
	uint64_t leaves_per_file; /* 0: LOG_LEAVES_PER_FILE */
	uid_t owner;		  /* (uid_t)-1: the caller */
	gid_t group;		  /* (gid_t)-1: STORE_GROUP if it exists, else the caller's */
};

/* What the first leaves say, after leaf 0. */
struct store_beginning {
	struct master_record master;
	struct signing_key_record checkpoint;
	struct signing_key_record manifest;
	struct policy_record policy; /* its worm is that of the options */
};

/* Sign a checkpoint; the caller asks binvault-hsm. @size leaves with @root; DER into @signature. */
typedef int store_sign(void *context, struct store *store, uint64_t size, const struct hash *root,
		       uint8_t signature[static SIGNATURE_SIZE_MAX], size_t *ret_signature_size,
		       struct error *err);

/*
 * archive.id, directories and flags; locked for writing, as far as an earlier try had not come.
 * The archive's UUID is that of the earlier try. ERROR_EXISTS if checkpoint 1 is there already.
 */
int store_create(const struct store_create_options *options, struct store **ret_store,
		 struct error *err) MUST_CHECK;

/* Leaf 0, the leaves of @beginning that are missing, checkpoint 1. ERROR_REFUSED if an earlier try
 * wrote other keys or another policy. */
int store_begin(struct store *store, const struct store_beginning *beginning, store_sign *sign,
		void *context, struct error *err) MUST_CHECK;

enum store_access { STORE_READ, STORE_WRITE };

/*
 * Open what store_begin() completed. STORE_WRITE takes the lock (ERROR_BUSY "in use by process …")
 * and, where the policy leaf requires WORM, checks capability and flags (ERROR_USAGE). Both check
 * the last checkpoint's signature and root against the leaves (ERROR_DEFECT). ERROR_NOT_FOUND: no
 * archive here, or `init` did not come to its end.
 */
int store_open(const char *const *volumes, size_t volume_count, enum store_access access,
	       struct store **ret_store, struct error *err) MUST_CHECK;
void store_free(struct store *store);
DEFINE_CLEANUP(store_free, struct store *);

/* What it is. Texts and pointers live as long as the store. */
const uint8_t *store_archive_id(const struct store *store); /* STORE_ID_SIZE bytes */
const char *store_origin(const struct store *store);
enum worm_mode store_worm(const struct store *store);
size_t store_volume_count(const struct store *store);
const char *store_volume_path(const struct store *store, size_t volume);
int store_volume_fd(const struct store *store, size_t volume); /* borrowed: its root directory */
uint32_t store_block_size(const struct store *store);	       /* the largest of all volumes */
int store_free_space(const struct store *store, uint64_t *ret_size /* the smallest */,
		     struct error *err) MUST_CHECK;
const struct state *store_state(const struct store *store);

/* --- ledger ---------------------------------------------------------------------------------- */

/*
 * Check @fields against the state (state_check()), stamp, append on every volume, fold. Takes the
 * reference to @fields in any case: store_append(store, covered_record_encode(&r), …).
 */
int store_append(struct store *store, json_t *fields, uint64_t *ret_index /* or NULL */,
		 struct error *err) MUST_CHECK;

/* All leaves from the first, of volume 0; a negative return of the callback ends it. The object of
 * @leaf may be kept by json_incref(). */
typedef int store_leaf(void *context, const struct leaf *leaf, struct error *err);
int store_leaves(const struct store *store, store_leaf *callback, void *context,
		 struct error *err) MUST_CHECK;

const struct tree *store_tree(const struct store *store); /* of all durable leaves */
int store_tree_at(const struct store *store, uint64_t size, struct tree *ret_tree,
		  struct error *err) MUST_CHECK;

/* Hashes of the leaves [from, to), in order, in arrays of at most @max. */
typedef int store_hashes(void *context, const struct hash *hashes, size_t count, struct error *err);
int store_leaf_hashes(const struct store *store, uint64_t from, uint64_t to, size_t max,
		      store_hashes *callback, void *context, struct error *err) MUST_CHECK;

/* The last checkpoint's size and root; size 0: none yet. */
void store_checkpoint(const struct store *store, uint64_t *ret_size, struct hash *ret_root);

/* Compose the note, verify it as a reader would, append it on every volume. ERROR_DEFECT if root or
 * signature are wrong, or the size is less than the last one's. */
int store_checkpoint_append(struct store *store, uint64_t size, const struct hash *root,
			    const void *signature, size_t signature_size,
			    struct error *err) MUST_CHECK;

/* Is the tree that binvault-hsm signed last a prefix of ours? ERROR_DEFECT: "rolled back", "fork".
 */
int store_check_signed(const struct store *store, const struct tree *tree,
		       struct error *err) MUST_CHECK;
