/*
 * Invariants:
 *  1 `tree` holds exactly the leaves that are durable; a leaf enters it after its append returned.
 *  2 After an error that may have left bytes behind, nothing is appended through this object: what
 *    lies at the end of the file is known only to a new reader.
 *  3 A file but the first begins with the whole state. `head_missing` is true from the moment such
 *    a file exists until the last of its state leaves is durable, and no other leaf but a `void`
 *    is written meanwhile.
 */
#include "ledger/log.h"

#include <string.h>

#include "io/file.h"
#include "ledger/append.h"

struct log {
	int dir_fd;
	struct log_options options;
	char volume[sizeof(((struct leaf_void *)0)->volume)];
	struct append *file; /* NULL: none is open for appending */
	bool any_file;	     /* false: the ledger is still without files */
	uint64_t file_first;
	struct tree tree;
	bool head_missing;
	bool failed;
	char line[LEAF_SIZE_MAX];
};

/* Remember an error that is final; pass it on. */
static int fail(struct log *log, int r)
{
	if (r < 0 && r != ERROR_NO_SPACE && r != ERROR_USAGE)
		log->failed = true;
	return r;
}

/* @separate: torn bytes stand at the end, and LF ends them. */
static int write_leaf(struct log *log, const json_t *fields, const struct leaf_stamp *stamp,
		      bool separate, struct error *err)
{
	struct leaf leaf;
	int length = leaf_encode(fields, log->tree.size, stamp, log->line, err);
	int r;

	if (length < 0)
		return length;
	/* a line that could not be read back must not become durable */
	r = leaf_decode(log->line, (size_t)length, &leaf, err);
	if (r < 0) {
		error_prefix(err, "a leaf that nobody could read");
		return err->code = ERROR_USAGE;
	}
	log->line[length] = '\n';
	r = append_write(log->file, log->line, (size_t)length + 1, separate, err);
	if (r == 0) {
		tree_append(&log->tree, &leaf.hash);
		leaf.file_first = log->file_first;
		if (log->options.operations->appended)
			log->options.operations->appended(log->options.context, &leaf);
	}
	leaf_release(&leaf);
	return fail(log, r);
}

/* One state leaf out of the caller's @fields. */
static int write_state(struct log *log, const json_t *fields, size_t part, size_t parts,
		       const struct leaf_stamp *stamp, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;

	if (!json_is_object(fields))
		return error_set(err, ERROR_USAGE, "a state that is not an object");
	object = json_copy((json_t *)(uintptr_t)fields);
	ASSERT(object);
	json_put_string(object, "type", "state");
	json_put_u64(object, "part", part);
	json_put_u64(object, "parts", parts);
	if (part == 0)
		tree_put(object, "tree", &log->tree);
	return write_leaf(log, object, stamp, false, err);
}

static int write_head(struct log *log, const struct leaf_stamp *stamp, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *states = NULL;
	size_t parts;
	int r = log->options.operations->state(log->options.context, &states, err);

	if (r < 0)
		return error_prefix(err, "the state for a new ledger file");
	parts = json_array_size(states);
	if (parts == 0)
		return error_set(err, ERROR_USAGE, "no state for a new ledger file");
	for (size_t part = 0; part < parts; part++) {
		r = write_state(log, json_array_get(states, part), part, parts, stamp, err);
		if (r < 0)
			return r;
	}
	log->head_missing = false;
	return 0;
}

static int finish_file(struct log *log, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	char name[LOG_FILE_NAME_SIZE];
	int r;

	append_free(TAKE(log->file));
	log_file_name(log->file_first, name);
	fd = file_open_read(log->dir_fd, name, err);
	if (fd < 0)
		return error_prefix(err, "ledger");
	r = log->options.operations->file_full(log->options.context, fd, name, err);
	return r < 0 ? error_prefix(err, "ledger/%s", name) : 0;
}

/* The old file is finished before the new one exists: so only the last can be unfinished. */
static int begin_file(struct log *log, struct error *err)
{
	char name[LOG_FILE_NAME_SIZE];
	int r = 0;

	if (log->any_file)
		r = finish_file(log, err);
	if (r < 0)
		return r;
	log_file_name(log->tree.size, name);
	r = append_create(log->dir_fd, name, log->options.operations->file_created,
			  log->options.context, &log->file, err);
	if (r < 0)
		return r;
	log->any_file = true;
	log->file_first = log->tree.size;
	log->head_missing = log->tree.size > 0;
	return 0;
}

static bool file_is_full(const struct log *log)
{
	return log->any_file && !log->head_missing &&
	       log->tree.size - log->file_first >= log->options.leaves_per_file;
}

static int check_usable(const struct log *log, struct error *err)
{
	if (log->failed)
		return error_set(err, ERROR_FAILED,
				 "the ledger stopped at an error; it must be opened anew");
	return 0;
}

int log_append(struct log *log, const json_t *fields, const struct leaf_stamp *stamp,
	       uint64_t *ret_index, struct error *err)
{
	int r = check_usable(log, err);

	/* what cannot be written shall not begin a file either */
	if (r == 0)
		r = leaf_encode(fields, log->tree.size, stamp, log->line, err);
	if (r < 0)
		return r;
	if (!log->any_file || file_is_full(log)) {
		r = fail(log, begin_file(log, err));
		if (r < 0)
			return r;
	}
	if (log->head_missing) {
		r = fail(log, write_head(log, stamp, err));
		if (r < 0)
			return r;
	}
	r = write_leaf(log, fields, stamp, false, err);
	if (r < 0)
		return r;
	if (ret_index)
		*ret_index = log->tree.size - 1;
	return 0;
}

static int write_void(struct log *log, const struct log_torn *torn, const struct leaf_stamp *stamp,
		      struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	struct leaf_void fields = {
		.offset = torn->offset,
		.size = torn->size,
		.hash = torn->hash,
	};

	_Static_assert(sizeof(fields.file) >= LOG_FILE_NAME_SIZE, "a name fits");
	log_file_name(torn->file_first, fields.file);
	memcpy(fields.volume, log->volume, sizeof(fields.volume));
	object = leaf_void_new(&fields);
	return write_leaf(log, object, stamp, true, err);
}

/* The last file as the reader found it. */
static int resume_file(struct log *log, const struct log_end *end, const struct leaf_stamp *stamp,
		       struct error *err)
{
	char name[LOG_FILE_NAME_SIZE];
	int r;

	log->any_file = true;
	log->file_first = end->file_first;
	log->head_missing = end->head_missing;
	/* it may be immutable already */
	if (end->torn.size == 0 && file_is_full(log))
		return 0;
	log_file_name(end->file_first, name);
	/* LF: what is torn stays the same range, and a line that only lacks its LF is whole */
	r = append_open(log->dir_fd, name, '\n', log->options.operations->file_created,
			log->options.context, &log->file, err);
	if (r == 0 && end->torn.size > 0)
		r = write_void(log, &end->torn, stamp, err);
	if (r == 0 && log->head_missing)
		r = write_head(log, stamp, err);
	return r;
}

int log_open(int dir_fd, const struct log_options *options, const struct log_reader *reader,
	     const struct leaf_stamp *stamp, struct log **ret_log, struct error *err)
{
	CLEANUP(log_freep)
	struct log *log = calloc(1, sizeof(*log));
	const struct log_end *end = log_reader_end(reader);
	const struct tree *tree = log_reader_tree(reader);
	int r = 0;

	ASSERT(log && options->leaves_per_file > 0);
	ASSERT(strlen(options->volume) < sizeof(log->volume));
	if (!end->reached || !tree || log_reader_defect_count(reader) > 0)
		return error_set(err, ERROR_DEFECT,
				 "the ledger has defects; nothing may be appended to it");
	log->dir_fd = dir_fd;
	log->options = *options;
	memcpy(log->volume, options->volume, strlen(options->volume) + 1);
	log->options.volume = log->volume;
	log->tree = *tree;
	if (!end->empty)
		r = resume_file(log, end, stamp, err);
	if (r < 0)
		return r;
	*ret_log = TAKE(log);
	return 0;
}

void log_free(struct log *log)
{
	if (!log)
		return;
	append_free(log->file);
	free(log);
}

const struct tree *log_tree(const struct log *log)
{
	return &log->tree;
}
