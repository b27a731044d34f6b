#include "forward/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/units.h"
#include "io/file.h"
#include "ledger/log_reader.h"

/* The last note is looked for in so many slots at the end: torn ones may stand behind it. */
#define LAST_SLOTS UINT64_C(16)

struct trail {
	const char *volume;
	int dir_fd; /* of the ledger; -1: not begun */
	struct log_reader *leaves;
	struct checkpoint_reader *checkpoints;
	struct checkpoint_item checkpoint; /* the one that the leaves to come stand under */
	bool has_checkpoint;
	struct place place;
};

struct trail *trail_new(const char *volume)
{
	struct trail *trail = calloc(1, sizeof(*trail));

	ASSERT(trail);
	trail->volume = volume;
	trail->dir_fd = -1;
	return trail;
}

static void end(struct trail *trail)
{
	log_reader_free(TAKE(trail->leaves));
	checkpoint_reader_free(TAKE(trail->checkpoints));
	trail->has_checkpoint = false;
	close_fdp(&trail->dir_fd);
	trail->dir_fd = -1;
}

void trail_free(struct trail *trail)
{
	if (!trail)
		return;
	end(trail);
	free(trail);
}

const struct place *trail_place(const struct trail *trail)
{
	return &trail->place;
}

static int open_ledger(const struct trail *trail, struct error *err)
{
	char path[4096];
	int length = snprintf(path, sizeof(path), "%s/ledger", trail->volume);

	if (length < 0 || (size_t)length >= sizeof(path))
		return error_set(err, ERROR_USAGE, "the path of the volume is too long");
	return directory_open(AT_FDCWD, path, err);
}

/* --- leaves ----------------------------------------------------------------------------------- */

static int open_leaves(struct trail *trail, uint64_t first_index, struct error *err)
{
	const struct log_reader_options options = {.first_index = first_index, .growing = true};

	log_reader_free(TAKE(trail->leaves));
	return log_reader_new(trail->dir_fd, &options, &trail->leaves, err);
}

/* Leaf @index, which a checkpoint says to be there. */
static int read_leaf(struct trail *trail, uint64_t index, const struct leaf **ret_leaf,
		     struct error *err)
{
	int r = trail->leaves ? log_reader_next(trail->leaves, ret_leaf, err) : 0;

	/* At the end of the files that there were: it is in a later one. */
	if (r == 0)
		r = open_leaves(trail, index, err);
	if (r == 0)
		r = log_reader_next(trail->leaves, ret_leaf, err);
	if (r == 0)
		return error_set(err, ERROR_NOT_FOUND,
				 "leaf %ju, which a checkpoint covers, is missing",
				 (uintmax_t)index);
	if (r > 0 && (*ret_leaf)->index != index)
		return error_set(err, ERROR_NOT_FOUND, "leaf %ju is missing", (uintmax_t)index);
	return r < 0 ? r : 0;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static int open_checkpoints(int dir_fd, uint64_t offset, struct checkpoint_reader **ret_reader,
			    struct error *err)
{
	int r = checkpoint_reader_new(dir_fd, ret_reader, err);

	if (r == 0)
		checkpoint_reader_seek(*ret_reader, offset);
	return r;
}

/* The next note at or behind the place: 1; or 0. What is torn means nothing. */
static int read_checkpoint(struct trail *trail, struct error *err)
{
	int r;

	if (trail->has_checkpoint)
		return 1;
	if (!trail->checkpoints) {
		r = open_checkpoints(trail->dir_fd, trail->place.checkpoint_offset,
				     &trail->checkpoints, err);
		if (r < 0)
			return r;
	}
	do {
		r = checkpoint_reader_next(trail->checkpoints, &trail->checkpoint, err);
		if (r < 0)
			return r;
	} while (trail->checkpoint.kind == CHECKPOINT_TORN);
	trail->has_checkpoint = trail->checkpoint.kind == CHECKPOINT_NOTE;
	if (trail->has_checkpoint)
		return 1;
	/* It does not see what will be appended, and may have stopped within a slot. */
	checkpoint_reader_free(TAKE(trail->checkpoints));
	return 0;
}

/* The newest note of the file whose size is @size. ERROR_NOT_FOUND: there is none. */
static int read_last(int dir_fd, uint64_t size, struct checkpoint_item *ret_item, struct error *err)
{
	uint64_t slots = LAST_SLOTS, count = size / CHECKPOINT_SLOT_SIZE;
	bool found = false;
	int r;

	for (; !found; slots *= LAST_SLOTS) {
		CLEANUP(checkpoint_reader_freep)
		struct checkpoint_reader *reader = NULL;
		struct checkpoint_item item;
		uint64_t first = count > slots ? count - slots : 0;

		r = open_checkpoints(dir_fd, first * CHECKPOINT_SLOT_SIZE, &reader, err);
		while (r == 0) {
			r = checkpoint_reader_next(reader, &item, err);
			if (r < 0 || item.kind == CHECKPOINT_END)
				break;
			if (item.kind == CHECKPOINT_NOTE) {
				*ret_item = item;
				found = true;
			}
		}
		if (r < 0)
			return r;
		if (!found && first == 0)
			return error_set(
				err, ERROR_NOT_FOUND,
				"the ledger has no checkpoint yet: nothing of it is signed");
	}
	return 0;
}

static int look(const struct trail *trail, int dir_fd, struct checkpoint_item *ret_item,
		uint64_t *ret_size, uint64_t *ret_usec, struct error *err)
{
	struct stat status;
	int r;

	if (fstatat(dir_fd, CHECKPOINT_FILE_NAME, &status, 0) < 0)
		return error_set_errno(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, errno,
				       "'%s/ledger/" CHECKPOINT_FILE_NAME "'", trail->volume);
	r = read_last(dir_fd, (uint64_t)status.st_size, ret_item, err);
	if (r < 0)
		return r;
	*ret_size = (uint64_t)status.st_size;
	*ret_usec = (uint64_t)status.st_mtim.tv_sec * USEC_PER_SEC +
		    (uint64_t)status.st_mtim.tv_nsec / NSEC_PER_USEC;
	return 0;
}

/* By the path, so that a directory that was put in another's place is seen. */
int trail_look(struct trail *trail, struct trail_end *ret_end, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open_ledger(trail, err);
	struct checkpoint_item last;
	struct stat ours, theirs;
	uint64_t size;

	if (fd < 0)
		return fd;
	if (fstat(fd, &theirs) < 0 || (trail->dir_fd >= 0 && fstat(trail->dir_fd, &ours) < 0))
		return error_set_errno(err, ERROR_IO, errno, "'%s/ledger'", trail->volume);
	ret_end->replaced = trail->dir_fd >= 0 &&
			    (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino);
	if (look(trail, fd, &last, &size, &ret_end->checkpoint_usec, err) < 0)
		return err->code;
	ret_end->leaf_count = last.checkpoint.size;
	return 0;
}

/* --- is it the ledger that the place is of? --------------------------------------------------- */

static int diverged(const struct trail *trail, struct error *err)
{
	err->code = ERROR_DIVERGED;
	return error_prefix(err,
			    "the ledger in '%s' is not the one that was forwarded: somebody has "
			    "replaced it or put back an older state of it",
			    trail->volume);
}

static int check_checkpoints(struct trail *trail, struct error *err)
{
	const struct place *place = &trail->place;
	struct checkpoint_item last;
	uint64_t size = 0, usec;
	int r = look(trail, trail->dir_fd, &last, &size, &usec, err);

	if (place->origin[0] == '\0')
		return r;
	if (r == ERROR_NOT_FOUND)
		return diverged(trail, err);
	if (r < 0)
		return r;
	if (strcmp(last.checkpoint.origin, place->origin) != 0)
		r = error_set(err, ERROR_DIVERGED,
			      "its archive is %s, and that of what was forwarded %s",
			      last.checkpoint.origin, place->origin);
	else if (last.checkpoint.size < place->next_index)
		r = error_set(err, ERROR_DIVERGED,
			      "%ju leaves are forwarded, and its last checkpoint covers only %ju",
			      (uintmax_t)place->next_index, (uintmax_t)last.checkpoint.size);
	else if (size < place->checkpoint_offset)
		r = error_set(err, ERROR_DIVERGED, "checkpoints that were forwarded are missing");
	return r < 0 ? diverged(trail, err) : 0;
}

/* The last leaf before the place is there, and the same. */
static int check_leaf(struct trail *trail, struct error *err)
{
	const struct place *place = &trail->place;
	const struct leaf *leaf;
	int r;

	if (place->next_index == 0)
		return open_leaves(trail, 0, err);
	r = open_leaves(trail, place->next_index - 1, err);
	if (r == 0)
		r = read_leaf(trail, place->next_index - 1, &leaf, err);
	if (r == ERROR_NOT_FOUND)
		return diverged(trail, err);
	if (r == 0 && memcmp(leaf->hash.bytes, place->leaf.bytes, HASH_SIZE) != 0) {
		error_set(err, ERROR_DIVERGED, "leaf %ju is another one", (uintmax_t)leaf->index);
		return diverged(trail, err);
	}
	return r;
}

int trail_begin(struct trail *trail, const struct place *place, struct error *err)
{
	int r;

	end(trail);
	trail->place = *place;
	trail->dir_fd = open_ledger(trail, err);
	r = trail->dir_fd < 0 ? trail->dir_fd : check_checkpoints(trail, err);
	if (r == 0)
		r = check_leaf(trail, err);
	if (r < 0)
		end(trail);
	return r;
}

/* --- its items -------------------------------------------------------------------------------- */

static void pass_leaf(struct place *place, const struct leaf *leaf)
{
	place->next_index = leaf->index + 1;
	place->leaf = leaf->hash;
	place->leaf_usec = leaf->stamp.time_usec;
}

static void pass_checkpoint(struct place *place, const struct checkpoint_item *item)
{
	place->checkpoint_offset = item->offset + CHECKPOINT_SLOT_SIZE;
}

int trail_next(struct trail *trail, struct trail_item *ret_item, struct error *err)
{
	struct place *place = &trail->place;
	struct trail_item item = {NULL, NULL};
	int r;

	if (trail->dir_fd < 0)
		return 0;
	r = read_checkpoint(trail, err);
	if (r > 0 && place->next_index < trail->checkpoint.checkpoint.size) {
		r = read_leaf(trail, place->next_index, &item.leaf, err);
		if (r == 0) {
			pass_leaf(place, item.leaf);
			r = 1;
		}
	} else if (r > 0) {
		item.checkpoint = &trail->checkpoint;
		trail->has_checkpoint = false;
		pass_checkpoint(place, item.checkpoint);
	}
	if (r > 0)
		snprintf(place->origin, sizeof(place->origin), "%s",
			 trail->checkpoint.checkpoint.origin);
	if (r < 0)
		end(trail);
	if (r > 0)
		*ret_item = item;
	return r;
}
