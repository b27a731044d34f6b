#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "io/clock.h"
#include "store/store_parts.h"

/* --- the fold of one leaf -------------------------------------------------------------------- */

static void tail_push(struct store *store, const struct hash *hash)
{
	if (store->tail_count == store->tail_capacity) {
		store->tail_capacity = store->tail_capacity ? 2 * store->tail_capacity : 1024;
		store->tail = realloc(store->tail, store->tail_capacity * sizeof(*store->tail));
		ASSERT(store->tail);
	}
	store->tail[store->tail_count++] = *hash;
	tree_append(&store->tree, hash);
}

/* Reading may begin in the middle: the first leaf then says what tree lies before it. */
static int take_leaf(struct store *store, const struct leaf *leaf, struct error *err)
{
	if (store->tail_count == 0 && leaf->index > 0) {
		int r = tree_get(leaf->object, "tree", &store->tail_tree, err);

		if (r < 0)
			return r;
		store->tree = store->tail_tree;
	}
	if (leaf->index != store->tree.size)
		return error_set(err, ERROR_DEFECT, "leaf %" PRIu64 " follows leaf %" PRIu64,
				 leaf->index, store->tree.size - 1);
	tail_push(store, &leaf->hash);
	return state_apply(store->state, leaf->object, err);
}

/* --- what the log asks for ------------------------------------------------------------------- */

static int log_state(void *context, json_t **ret_states, struct error *err)
{
	const struct store_volume *volume = context;
	const struct state *state = volume->store->state;
	json_t *states = json_array();

	(void)err;
	for (size_t i = 0; i < state_count(state); i++) {
		json_t *carrier = json_object();

		json_put(carrier, "carries", json_incref(state_at(state, i)));
		json_array_append_new(states, carrier);
	}
	*ret_states = states;
	return 0;
}

static int log_file_created(void *context, int fd, const char *name, struct error *err)
{
	const struct store_volume *volume = context;
	int r = store_adopt(volume->store, fd, STORE_FILE_MODE, FILE_PROTECTION_APPEND, err);

	return r < 0 ? error_prefix(err, "%s/%s", LEDGER_DIRECTORY, name) : 0;
}

static int log_file_full(void *context, int fd, const char *name, struct error *err)
{
	const struct store_volume *volume = context;
	int r;

	if (volume->store->worm != WORM_REQUIRED)
		return 0;
	r = file_protect(fd, FILE_PROTECTION_IMMUTABLE, err);
	if (r == 0)
		r = file_sync(fd, err);
	return r < 0 ? error_prefix(err, "%s/%s", LEDGER_DIRECTORY, name) : 0;
}

static void log_appended(void *context, const struct leaf *leaf)
{
	const struct store_volume *volume = context;
	struct store *store = volume->store;
	struct error err;

	/* Invariant 1: what volume 0 holds; the others hold the same or the append fails. */
	if (volume->number == 0 && take_leaf(store, leaf, &err) < 0 && store->broken.code == 0)
		store->broken = err;
}

static const struct log_operations operations = {
	.state = log_state,
	.file_created = log_file_created,
	.file_full = log_file_full,
	.appended = log_appended,
};

static int stamp_now(struct leaf_stamp *ret_stamp, struct error *err)
{
	ret_stamp->time_usec = clock_realtime_usec();
	ret_stamp->uptime_usec = clock_boottime_usec();
	return clock_boot_id(ret_stamp->boot_id, err);
}

/* --- opening --------------------------------------------------------------------------------- */

static int read_volume(struct store_volume *volume, struct error *err)
{
	char id[UUID_SIZE];
	const struct log_reader_options options = {.from_state = true, .volume = id};
	const struct leaf *leaf;
	int r;

	uuid_text(volume->id, id);
	r = log_reader_new(volume->ledger_fd, &options, &volume->reader, err);
	if (r < 0)
		return r;
	while ((r = log_reader_next(volume->reader, &leaf, err)) > 0) {
		/* One copy is folded; the trees say whether the others are the same. */
		if (volume->number > 0)
			continue;
		r = take_leaf(volume->store, leaf, err);
		if (r < 0)
			return r;
	}
	return r;
}

int store_ledger_read(struct store *store, struct error *err)
{
	const struct store_record *archive;

	for (size_t i = 0; i < store->volume_count; i++) {
		const struct tree *tree;
		int r = read_volume(&store->volumes[i], err);

		if (r < 0)
			return error_prefix(err, "'%s'", store->volumes[i].path);
		tree = log_reader_tree(store->volumes[i].reader);
		if (tree && tree->size > 0 && !tree_equal(tree, &store->tree))
			return error_set(err, ERROR_DEFECT,
					 "fork: the ledgers of '%s' and '%s' differ",
					 store->volumes[0].path, store->volumes[i].path);
	}
	archive = state_archive(store->state);
	if (archive) {
		snprintf(store->origin, sizeof(store->origin), "%s", archive->origin);
		store->leaves_per_file = archive->leaves_per_file;
	}
	if (state_policy(store->state))
		store->worm = state_policy(store->state)->worm;
	return 0;
}

int store_ledger_open(struct store *store, struct error *err)
{
	struct leaf_stamp stamp;
	int r = stamp_now(&stamp, err);

	for (size_t i = 0; r == 0 && i < store->volume_count; i++) {
		struct store_volume *volume = &store->volumes[i];
		char id[UUID_SIZE];
		struct log_options options = {
			.leaves_per_file = store->leaves_per_file,
			.volume = id,
			.operations = &operations,
			.context = volume,
		};

		uuid_text(volume->id, id);
		r = log_open(volume->ledger_fd, &options, volume->reader, &stamp, &volume->log,
			     err);
		if (r < 0)
			return error_prefix(err, "'%s'", volume->path);
		log_reader_free(TAKE(volume->reader));
	}
	if (r == 0 && store->broken.code) {
		*err = store->broken;
		return err->code;
	}
	return r;
}

/* --- appending ------------------------------------------------------------------------------- */

static int append_everywhere(struct store *store, const json_t *fields, uint64_t *ret_index,
			     struct error *err)
{
	struct leaf_stamp stamp;
	uint64_t index = 0;
	int r = stamp_now(&stamp, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < store->volume_count; i++) {
		r = log_append(store->volumes[i].log, fields, &stamp, &index, err);
		/* Only the first volume may refuse without harm: behind it the copies differ. */
		if (r < 0 && (i > 0 || (r != ERROR_NO_SPACE && r != ERROR_USAGE)))
			store->broken = *err;
		if (r < 0)
			return error_prefix(err, "'%s'", store->volumes[i].path);
	}
	if (store->broken.code) {
		*err = store->broken;
		return err->code;
	}
	if (ret_index)
		*ret_index = index;
	return 0;
}

int store_append(struct store *store, json_t *fields, uint64_t *ret_index, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = fields;
	int r;

	ASSERT(store->access == STORE_WRITE);
	if (store->broken.code) {
		*err = store->broken;
		return error_prefix(err, "the ledger stopped");
	}
	r = state_check(store->state, object, err);
	if (r == 0)
		r = append_everywhere(store, object, ret_index, err);
	return r < 0 ? error_prefix(err, "appending to the ledger") : 0;
}

/* --- reading again --------------------------------------------------------------------------- */

int store_leaves(const struct store *store, store_leaf *callback, void *context, struct error *err)
{
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	char id[UUID_SIZE];
	const struct log_reader_options options = {.volume = id};
	const struct leaf *leaf;
	int r;

	uuid_text(store->volumes[0].id, id);
	r = log_reader_new(store->volumes[0].ledger_fd, &options, &reader, err);
	while (r >= 0 && (r = log_reader_next(reader, &leaf, err)) > 0)
		r = callback(context, leaf, err);
	return r < 0 ? r : 0;
}

const struct tree *store_tree(const struct store *store)
{
	return &store->tree;
}

struct walk {
	struct tree *tree; /* NULL: only pass hashes on */
	uint64_t from, to, index;
	size_t max, count;
	struct hash *buffer;
	store_hashes *callback;
	void *context;
};

#define WALK_DONE ERROR_CLOSED /* ends store_leaves(); seen by nobody else */

static int walk_flush(struct walk *walk, struct error *err)
{
	int r = walk->count ? walk->callback(walk->context, walk->buffer, walk->count, err) : 0;

	walk->count = 0;
	return r < 0 ? r : 0;
}

static int walk_take(struct walk *walk, const struct hash *hash, struct error *err)
{
	uint64_t index = walk->index++;

	if (index < walk->from || index >= walk->to)
		return 0;
	if (walk->tree) {
		tree_append(walk->tree, hash);
		return 0;
	}
	walk->buffer[walk->count++] = *hash;
	return walk->count == walk->max ? walk_flush(walk, err) : 0;
}

static int walk_leaf(void *context, const struct leaf *leaf, struct error *err)
{
	struct walk *walk = context;
	int r = walk_take(walk, &leaf->hash, err);

	return r == 0 && walk->index >= walk->to ? WALK_DONE : r;
}

/* From memory where it reaches back far enough, else from the first file on. */
static int walk_run(const struct store *store, struct walk *walk, struct error *err)
{
	int r = 0;

	if (walk->from >= store->tail_tree.size) {
		walk->index = store->tail_tree.size;
		for (size_t i = 0; r == 0 && i < store->tail_count && walk->index < walk->to; i++)
			r = walk_take(walk, &store->tail[i], err);
	} else {
		r = store_leaves(store, walk_leaf, walk, err);
		if (r == WALK_DONE && walk->index >= walk->to)
			r = 0;
	}
	if (r == 0 && walk->index < walk->to)
		return error_set(err, ERROR_DEFECT, "leaf %" PRIu64 " is missing", walk->index);
	return r < 0 || walk->tree ? r : walk_flush(walk, err);
}

int store_tree_at(const struct store *store, uint64_t size, struct tree *ret_tree,
		  struct error *err)
{
	struct tree tree = {0};
	struct walk walk = {.tree = &tree, .to = size};
	int r;

	if (size > store->tree.size)
		return error_set(err, ERROR_DEFECT,
				 "the ledger has %" PRIu64 " leaves, not %" PRIu64,
				 store->tree.size, size);
	if (size >= store->tail_tree.size) {
		tree = store->tail_tree;
		walk.from = tree.size;
	}
	r = size == walk.from ? 0 : walk_run(store, &walk, err);
	if (r == 0)
		*ret_tree = tree;
	return r;
}

int store_leaf_hashes(const struct store *store, uint64_t from, uint64_t to, size_t max,
		      store_hashes *callback, void *context, struct error *err)
{
	CLEANUP(freep)
	struct hash *buffer = NULL;
	struct walk walk = {
		.from = from, .to = to, .max = max, .callback = callback, .context = context};

	ASSERT(max > 0 && from <= to);
	if (to > store->tree.size)
		return error_set(err, ERROR_DEFECT,
				 "the ledger has %" PRIu64 " leaves, not %" PRIu64,
				 store->tree.size, to);
	if (from == to)
		return 0;
	buffer = calloc(max, sizeof(*buffer));
	ASSERT(buffer);
	walk.buffer = buffer;
	return walk_run(store, &walk, err);
}

/* --- checkpoints ----------------------------------------------------------------------------- */

struct key_ring {
	struct checkpoint_keys keys;
	struct public_key *owned[CHECKPOINT_KEYS_MAX];
};

static void key_ring_release(struct key_ring *ring)
{
	for (size_t i = 0; i < ring->keys.count; i++)
		public_key_free(ring->owned[i]);
}

/* The checkpoint keys that the leaves name. */
static int key_ring_fill(struct key_ring *ring, const struct state *state, struct error *err)
{
	const struct signing_key_record *record;

	for (size_t i = 0; (record = state_signing_key_at(state, i)); i++) {
		size_t n = ring->keys.count;
		int r;

		if (record->role != SIGNING_CHECKPOINT)
			continue;
		if (n == CHECKPOINT_KEYS_MAX)
			return error_set(err, ERROR_DEFECT, "more than %d checkpoint keys",
					 CHECKPOINT_KEYS_MAX);
		r = public_key_decode(record->der, record->der_size, &ring->owned[n], err);
		if (r < 0)
			return r;
		ring->keys.keys[n] = ring->owned[n];
		ring->keys.count++;
	}
	return 0;
}

/* Signature, origin, and root at its size. */
static int check_checkpoint(const struct store *store, const struct checkpoint *checkpoint,
			    struct error *err)
{
	CLEANUP(key_ring_release)
	struct key_ring ring = {0};
	struct tree tree;
	int r = key_ring_fill(&ring, store->state, err);

	if (r == 0)
		r = checkpoint_verify(checkpoint, store->origin, &ring.keys, err);
	if (r == 0 && checkpoint->size > store->tree.size)
		r = error_set(err, ERROR_DEFECT,
			      "rolled back: it covers %" PRIu64 " leaves, the ledger has %" PRIu64,
			      checkpoint->size, store->tree.size);
	if (r == 0)
		r = store_tree_at(store, checkpoint->size, &tree, err);
	if (r == 0)
		r = checkpoint_compare(checkpoint, &tree, err);
	return r < 0 ? error_prefix(err, "checkpoint of size %" PRIu64, checkpoint->size) : 0;
}

/* The last whole note of a file that is only read. signature_count 0: none. */
static int last_note(const struct store_volume *volume, struct checkpoint *ret_last,
		     struct error *err)
{
	CLEANUP(checkpoint_reader_freep)
	struct checkpoint_reader *reader = NULL;
	CLEANUP(freep)
	struct checkpoint_item *item = calloc(1, sizeof(*item));
	int r = checkpoint_reader_new(volume->ledger_fd, &reader, err);

	ASSERT(item);
	ret_last->signature_count = 0;
	if (r == ERROR_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	while ((r = checkpoint_reader_next(reader, item, err)) >= 0) {
		if (item->kind == CHECKPOINT_END)
			return 0;
		if (item->kind == CHECKPOINT_NOTE)
			*ret_last = item->checkpoint;
	}
	return r;
}

static int open_checkpoint_file(struct store_volume *volume, struct checkpoint *ret_last,
				struct error *err)
{
	char id[UUID_SIZE];
	const struct checkpoint_file_options options = {
		.created = log_file_created, .context = volume, .volume = id};
	struct leaf_void torn;
	int r;

	uuid_text(volume->id, id);
	r = checkpoint_file_open(volume->ledger_fd, &options, ret_last, &volume->checkpoints, err);
	if (r < 0 || !checkpoint_file_torn(volume->checkpoints, &torn))
		return r;
	r = store_append(volume->store, leaf_void_new(&torn), NULL, err);
	if (r == 0)
		checkpoint_file_voided(volume->checkpoints);
	return r;
}

int store_checkpoints_open(struct store *store, struct error *err)
{
	CLEANUP(freep)
	struct checkpoint *last = calloc(1, sizeof(*last));

	ASSERT(last);
	for (size_t i = 0; i < store->volume_count; i++) {
		struct store_volume *volume = &store->volumes[i];
		int r = store->access == STORE_WRITE ? open_checkpoint_file(volume, last, err)
						     : last_note(volume, last, err);

		if (r == 0 && last->signature_count > 0)
			r = check_checkpoint(store, last, err);
		if (r < 0)
			return error_prefix(err, "'%s'", volume->path);
		if (last->signature_count > 0 && last->size >= store->checkpoint_size) {
			store->checkpoint_size = last->size;
			store->checkpoint_root = last->root;
		}
	}
	return 0;
}

void store_checkpoint(const struct store *store, uint64_t *ret_size, struct hash *ret_root)
{
	*ret_size = store->checkpoint_size;
	*ret_root = store->checkpoint_root;
}

static int compose(const struct store *store, uint64_t size, const struct hash *root,
		   const void *signature, size_t signature_size,
		   char note[static CHECKPOINT_NOTE_SIZE + 1], struct error *err)
{
	const struct signing_key_record *key = state_signing_key(store->state, SIGNING_CHECKPOINT);
	char body[CHECKPOINT_BODY_SIZE];
	struct hash fingerprint;
	int r;

	if (!key)
		return error_set(err, ERROR_DEFECT, "no leaf names a key for checkpoints");
	hash_bytes(key->der, key->der_size, &fingerprint);
	r = checkpoint_body(store->origin, size, root, body, err);
	if (r >= 0)
		r = checkpoint_compose(body, &fingerprint, signature, signature_size, note, err);
	return r;
}

int store_checkpoint_append(struct store *store, uint64_t size, const struct hash *root,
			    const void *signature, size_t signature_size, struct error *err)
{
	CLEANUP(freep)
	struct checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
	char note[CHECKPOINT_NOTE_SIZE + 1];
	size_t length;
	int r;

	ASSERT(checkpoint && store->access == STORE_WRITE);
	if (size < store->checkpoint_size)
		return error_set(err, ERROR_DEFECT,
				 "a checkpoint of size %" PRIu64 " after one of size %" PRIu64,
				 size, store->checkpoint_size);
	r = compose(store, size, root, signature, signature_size, note, err);
	if (r < 0)
		return r;
	length = (size_t)r;
	r = checkpoint_decode(note, length, checkpoint, err);
	if (r == 0)
		r = check_checkpoint(store, checkpoint, err);
	for (size_t i = 0; r == 0 && i < store->volume_count; i++)
		r = checkpoint_file_append(store->volumes[i].checkpoints, note, length, err);
	if (r < 0)
		return error_prefix(err, "appending a checkpoint");
	store->checkpoint_size = size;
	store->checkpoint_root = *root;
	return 0;
}

int store_check_signed(const struct store *store, const struct tree *tree, struct error *err)
{
	struct tree ours;
	int r;

	if (tree->size > store->tree.size)
		return error_set(err, ERROR_DEFECT,
				 "rolled back: the HSM has signed %" PRIu64
				 " leaves, the ledger has %" PRIu64,
				 tree->size, store->tree.size);
	r = store_tree_at(store, tree->size, &ours, err);
	if (r == 0 && !tree_equal(&ours, tree))
		r = error_set(err, ERROR_DEFECT,
			      "fork: the HSM has signed other leaves than these, up to leaf "
			      "%" PRIu64,
			      tree->size);
	return r;
}
