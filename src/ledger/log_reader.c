/*
 * Invariants:
 *  1 `expected` is the index of the next leaf; `tree` has that size whenever `tree_known`.
 *  2 Bytes that are no leaf are `garbage` until the next leaf: a `void` leaf that names exactly
 *    them excuses them, any other makes them a defect. So at most one range is pending, and it
 *    lies in the open file.
 *  3 Garbage neither begins nor ends with LF, whatever was torn: writer and reader, and a reader
 *    before and after the next append, see the same range.
 */
#include "ledger/log_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "io/file.h"
#include "ledger/lines.h"

struct garbage {
	bool pending;
	uint64_t offset;
	uint64_t size;
	struct hasher *hasher;
	char reason[160]; /* why its first line is no leaf */
};

/* The `state` leaves that a file begins with. */
struct head {
	bool whole;
	uint64_t next_part;
	uint64_t parts;
	uint64_t first_index; /* of part 0 */
};

struct log_reader {
	int dir_fd;
	struct log_reader_options options;
	uint64_t *files; /* their first indexes, ascending */
	size_t file_count;
	size_t file_index; /* of the open one, or of the next */
	int fd;
	struct lines *lines;
	uint64_t expected;
	uint64_t start_index; /* leaves below are read but not returned */
	struct tree tree;
	bool tree_known;
	struct leaf leaf;
	struct garbage garbage;
	struct head head;
	struct log_end end;
	uint64_t defect_count;
	struct error failed; /* code 0: not */
};

void log_file_name(uint64_t first_index, char name[static LOG_FILE_NAME_SIZE])
{
	snprintf(name, LOG_FILE_NAME_SIZE, "%020" PRIu64 ".jsonl", first_index);
}

/* A defect: told, and 0; or the end of this reader. */
static int __attribute__((format(printf, 5, 6)))
report(struct log_reader *reader, const char *file, uint64_t offset, struct error *err,
       const char *format, ...)
{
	char sentence[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	reader->defect_count++;
	if (reader->options.on_defect) {
		reader->options.on_defect(reader->options.context, file, offset, sentence);
		return 0;
	}
	return error_set(err, ERROR_DEFECT, "ledger/%s: offset %ju: %s", file, (uintmax_t)offset,
			 sentence);
}

/* --- the files of the directory ------------------------------------------------------------- */

static bool parse_name(const char *name, uint64_t *ret_first)
{
	char again[LOG_FILE_NAME_SIZE];
	uint64_t first;

	if (strlen(name) != LOG_FILE_NAME_SIZE - 1 || strspn(name, "0123456789") != 20)
		return false;
	errno = 0;
	first = strtoull(name, NULL, 10);
	if (errno || first >= TREE_SIZE_MAX)
		return false;
	log_file_name(first, again);
	if (strcmp(again, name) != 0)
		return false;
	*ret_first = first;
	return true;
}

static int compare_first(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void closedirp(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static int add_name(struct log_reader *reader, const char *name, struct error *err)
{
	uint64_t first;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "checkpoints") == 0)
		return 0;
	if (!parse_name(name, &first))
		return report(reader, name, 0, err, "not a file of a ledger");
	if (reader->file_count == LOG_FILES_MAX)
		return error_set(err, ERROR_DEFECT, "a ledger of more than %u files",
				 LOG_FILES_MAX);
	reader->files[reader->file_count++] = first;
	return 0;
}

static int list_files(struct log_reader *reader, struct error *err)
{
	CLEANUP(closedirp)
	DIR *directory = NULL;
	const struct dirent *entry;
	int fd = directory_open(reader->dir_fd, ".", err);
	int r = 0;

	if (fd < 0)
		return fd;
	directory = fdopendir(fd);
	ASSERT(directory);
	while (errno = 0, entry = readdir(directory)) {
		r = add_name(reader, entry->d_name, err);
		if (r < 0)
			return r;
	}
	if (errno)
		return error_set_errno(err, ERROR_IO, errno, "reading the ledger's directory");
	qsort(reader->files, reader->file_count, sizeof(*reader->files), compare_first);
	return 0;
}

static void file_name(const struct log_reader *reader, char name[static LOG_FILE_NAME_SIZE])
{
	log_file_name(reader->files[reader->file_index], name);
}

static int open_next(struct log_reader *reader, struct error *err)
{
	uint64_t first = reader->files[reader->file_index];
	char name[LOG_FILE_NAME_SIZE];
	int r;

	file_name(reader, name);
	if (first != reader->expected) {
		if (first > reader->expected)
			r = report(reader, name, 0, err, "leaves %ju to %ju before it are missing",
				   (uintmax_t)reader->expected, (uintmax_t)first - 1);
		else
			r = report(reader, name, 0, err, "leaf %ju must be its first",
				   (uintmax_t)reader->expected);
		if (r < 0)
			return r;
		reader->expected = first;
		reader->tree_known = false;
	}
	reader->fd = reader->options.direct ? file_open_direct(reader->dir_fd, name, err)
					    : file_open_read(reader->dir_fd, name, err);
	if (reader->fd < 0) {
		reader->fd = -1;
		return error_prefix(err, "ledger");
	}
	lines_start(reader->lines, reader->fd, reader->options.growing);
	reader->head = (struct head){.whole = first == 0, .first_index = first};
	return 0;
}

/* --- bytes that are no leaf ------------------------------------------------------------------ */

static void garbage_add(struct garbage *garbage, const struct line *line, const char *reason)
{
	if (!garbage->pending) {
		garbage->pending = true;
		garbage->offset = line->offset;
		garbage->size = 0;
		hasher_start(garbage->hasher);
		snprintf(garbage->reason, sizeof(garbage->reason), "%s", reason);
	}
	/* nothing but LF stands between two lines */
	while (garbage->offset + garbage->size < line->offset) {
		hasher_update(garbage->hasher, "\n", 1);
		garbage->size++;
	}
	hasher_update(garbage->hasher, line->bytes, line->length);
	garbage->size += line->length;
}

static int garbage_report(struct log_reader *reader, const char *file, struct error *err)
{
	reader->garbage.pending = false;
	return report(reader, file, reader->garbage.offset, err,
		      "%ju bytes are no leaf (%s), and no void leaf behind them names them",
		      (uintmax_t)reader->garbage.size, reader->garbage.reason);
}

/* Does @leaf excuse the garbage before it, or tell of it? */
static int garbage_settle(struct log_reader *reader, const struct leaf *leaf, const char *file,
			  struct error *err)
{
	struct garbage *garbage = &reader->garbage;
	struct leaf_void named;
	struct hash hash;
	struct error reason;
	int r;

	memset(&named, 0, sizeof(named));
	if (leaf_is(leaf, "void") && leaf_void_get(leaf, &named, &reason) < 0) {
		r = report(reader, file, leaf->offset, err, "%s", reason.message);
		if (r < 0)
			return r;
	}
	if (!garbage->pending)
		return 0;
	if (strcmp(named.file, file) != 0 || named.offset != garbage->offset ||
	    named.size != garbage->size)
		return garbage_report(reader, file, err);
	if (reader->options.volume && strcmp(named.volume, reader->options.volume) != 0)
		return garbage_report(reader, file, err);
	hasher_finish(garbage->hasher, &hash);
	if (memcmp(hash.bytes, named.hash.bytes, HASH_SIZE) != 0)
		return garbage_report(reader, file, err);
	garbage->pending = false;
	return 0;
}

/* --- leaves ---------------------------------------------------------------------------------- */

/* Part 0 carries the tree of all leaves before it. */
static int check_tree(struct log_reader *reader, const struct leaf *leaf, const char *file,
		      struct error *err)
{
	struct tree tree;
	struct error reason;

	if (tree_get(leaf->object, "tree", &tree, &reason) < 0)
		return report(reader, file, leaf->offset, err, "state leaf %ju: %s",
			      (uintmax_t)leaf->index, reason.message);
	if (tree.size != leaf->index || (reader->tree_known && !tree_equal(&tree, &reader->tree)))
		return report(reader, file, leaf->offset, err,
			      "state leaf %ju holds another tree than the leaves before it make",
			      (uintmax_t)leaf->index);
	reader->tree = tree;
	reader->tree_known = true;
	return 0;
}

static int check_state(struct log_reader *reader, const struct leaf *leaf, const char *file,
		       struct error *err)
{
	struct head *head = &reader->head;
	struct error reason;
	uint64_t part = 0;
	uint64_t parts = 0;
	int r;

	r = json_get_u64(leaf->object, "part", &part, &reason);
	if (r == 0)
		r = json_get_u64(leaf->object, "parts", &parts, &reason);
	if (r < 0)
		return report(reader, file, leaf->offset, err, "state leaf %ju: %s",
			      (uintmax_t)leaf->index, reason.message);
	/* part 0 again: the group before was torn, and is written anew */
	if (part >= parts || (part > 0 && (part != head->next_part || parts != head->parts)))
		return report(reader, file, leaf->offset, err,
			      "state leaf %ju is part %ju of %ju, out of order",
			      (uintmax_t)leaf->index, (uintmax_t)part, (uintmax_t)parts);
	if (part == 0) {
		r = check_tree(reader, leaf, file, err);
		if (r < 0)
			return r;
		head->first_index = leaf->index;
	}
	head->next_part = part + 1;
	head->parts = parts;
	head->whole = head->next_part == parts;
	return 0;
}

static int check_head(struct log_reader *reader, const struct leaf *leaf, const char *file,
		      struct error *err)
{
	bool state = leaf_is(leaf, "state");

	if (!reader->head.whole && state)
		return check_state(reader, leaf, file, err);
	if (!reader->head.whole && !leaf_is(leaf, "void")) {
		reader->head.whole = true; /* told once */
		return report(reader, file, 0, err,
			      "the file does not begin with whole state leaves");
	}
	if (reader->head.whole && state)
		return report(reader, file, leaf->offset, err,
			      "state leaf %ju is not at the head of a file",
			      (uintmax_t)leaf->index);
	return 0;
}

/* Takes over @leaf, also when it fails. */
static int accept_leaf(struct log_reader *reader, const struct leaf *leaf, struct error *err)
{
	char file[LOG_FILE_NAME_SIZE];
	int r;

	reader->leaf = *leaf;
	file_name(reader, file);
	r = garbage_settle(reader, leaf, file, err);
	if (r < 0)
		return r;
	if (leaf->index != reader->expected) {
		r = report(reader, file, leaf->offset, err, "leaves %ju to %ju are missing",
			   (uintmax_t)reader->expected, (uintmax_t)leaf->index - 1);
		if (r < 0)
			return r;
		reader->tree_known = false;
	}
	r = check_head(reader, leaf, file, err);
	if (r < 0)
		return r;
	if (reader->tree_known)
		tree_append(&reader->tree, &leaf->hash);
	reader->expected = leaf->index + 1;
	return 0;
}

static int take_line(struct log_reader *reader, const struct line *line, struct error *err)
{
	struct leaf leaf;
	struct error reason;
	int r;

	if (!line->whole) {
		garbage_add(&reader->garbage, line, "a line that is too long");
		return 0;
	}
	if (leaf_decode(line->bytes, line->length, &leaf, &reason) < 0) {
		garbage_add(&reader->garbage, line, reason.message);
		return 0;
	}
	if (leaf.index < reader->expected) {
		snprintf(reason.message, sizeof(reason.message),
			 "leaf %ju stands where leaf %ju must", (uintmax_t)leaf.index,
			 (uintmax_t)reader->expected);
		garbage_add(&reader->garbage, line, reason.message);
		leaf_release(&leaf);
		return 0;
	}
	leaf.file_first = reader->files[reader->file_index];
	leaf.offset = line->offset;
	r = accept_leaf(reader, &leaf, err);
	if (r < 0)
		return r;
	return leaf.index >= reader->start_index;
}

static int end_file(struct log_reader *reader, struct error *err)
{
	bool last = reader->file_index + 1 == reader->file_count;
	char file[LOG_FILE_NAME_SIZE];
	int r = 0;

	file_name(reader, file);
	if (reader->garbage.pending && !last)
		r = garbage_report(reader, file, err);
	if (r == 0 && !reader->head.whole && !last)
		r = report(reader, file, 0, err, "the file does not begin with whole state leaves");
	if (r < 0)
		return r;
	if (last) {
		reader->end.empty = false;
		reader->end.file_first = reader->files[reader->file_index];
		reader->end.next_index = reader->expected;
		reader->end.head_missing = !reader->head.whole;
	}
	if (reader->garbage.pending) {
		reader->end.torn.file_first = reader->files[reader->file_index];
		reader->end.torn.offset = reader->garbage.offset;
		reader->end.torn.size = reader->garbage.size;
		hasher_finish(reader->garbage.hasher, &reader->end.torn.hash);
		reader->garbage.pending = false;
	}
	close(reader->fd);
	reader->fd = -1;
	reader->file_index++;
	return 0;
}

static int advance(struct log_reader *reader, struct error *err)
{
	struct line line;
	int r;

	for (;;) {
		if (reader->fd < 0) {
			if (reader->file_index == reader->file_count) {
				reader->end.reached = true;
				return 0;
			}
			r = open_next(reader, err);
			if (r < 0)
				return r;
		}
		r = lines_next(reader->lines, &line, err);
		if (r < 0) {
			char file[LOG_FILE_NAME_SIZE];

			file_name(reader, file);
			return error_prefix(err, "ledger/%s", file);
		}
		r = r > 0 ? take_line(reader, &line, err) : end_file(reader, err);
		if (r != 0)
			return r;
		leaf_release(&reader->leaf);
	}
}

int log_reader_next(struct log_reader *reader, const struct leaf **ret_leaf, struct error *err)
{
	int r;

	if (reader->failed.code) {
		*err = reader->failed;
		return reader->failed.code;
	}
	leaf_release(&reader->leaf);
	r = advance(reader, err);
	if (r < 0)
		reader->failed = *err;
	if (r > 0)
		*ret_leaf = &reader->leaf;
	return r;
}

/* --- beginning ------------------------------------------------------------------------------- */

static struct log_reader *reader_allocate(int dir_fd, const struct log_reader_options *options)
{
	struct log_reader *reader = calloc(1, sizeof(*reader));

	ASSERT(reader);
	reader->dir_fd = dir_fd;
	reader->options = *options;
	reader->fd = -1;
	reader->lines = lines_new();
	reader->garbage.hasher = hasher_new();
	reader->files = calloc(LOG_FILES_MAX, sizeof(*reader->files));
	ASSERT(reader->files);
	reader->tree_known = true;
	reader->end.empty = true;
	return reader;
}

/* Is the head of file @file_index whole, and where does it begin? 1, 0 or an error. */
static int head_is_whole(const struct log_reader *reader, size_t file_index, uint64_t *ret_index,
			 struct error *err)
{
	CLEANUP(log_reader_freep)
	struct log_reader *scan = NULL;
	const struct leaf *leaf;
	int r;

	scan = reader_allocate(reader->dir_fd, &reader->options);
	scan->options.on_defect = NULL;
	scan->files[0] = reader->files[file_index];
	scan->file_count = 1;
	scan->expected = scan->files[0];
	scan->tree_known = false;
	for (;;) {
		r = log_reader_next(scan, &leaf, err);
		if (r <= 0)
			return r;
		if (scan->head.whole) {
			*ret_index = scan->head.first_index;
			return 1;
		}
	}
}

/* The newest file that stands on its own; the first always does. */
static int find_start(struct log_reader *reader, struct error *err)
{
	int r = 0;

	if (reader->file_count == 0)
		return 0;
	reader->file_index = reader->file_count - 1;
	while (reader->file_index > 0) {
		r = head_is_whole(reader, reader->file_index, &reader->start_index, err);
		if (r < 0)
			return r;
		if (r > 0)
			break;
		reader->file_index--;
	}
	if (reader->file_index > 0) {
		reader->expected = reader->files[reader->file_index];
		reader->tree_known = false;
	}
	return 0;
}

/* The file that holds leaf first_index, or the last. */
static void find_first(struct log_reader *reader)
{
	size_t i = reader->file_count;

	while (i > 0 && reader->files[i - 1] > reader->options.first_index)
		i--;
	reader->start_index = reader->options.first_index;
	if (i <= 1)
		return; /* from the beginning, and what is missing there is told */
	reader->file_index = i - 1;
	reader->expected = reader->files[i - 1];
	reader->tree_known = false;
}

int log_reader_new(int dir_fd, const struct log_reader_options *options,
		   struct log_reader **ret_reader, struct error *err)
{
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	int r;

	reader = reader_allocate(dir_fd, options);
	r = list_files(reader, err);
	if (r == 0 && options->from_state)
		r = find_start(reader, err);
	else if (r == 0)
		find_first(reader);
	if (r < 0)
		return r;
	*ret_reader = TAKE(reader);
	return 0;
}

void log_reader_free(struct log_reader *reader)
{
	if (!reader)
		return;
	leaf_release(&reader->leaf);
	if (reader->fd >= 0)
		close(reader->fd);
	lines_free(reader->lines);
	hasher_free(reader->garbage.hasher);
	free(reader->files);
	free(reader);
}

const struct tree *log_reader_tree(const struct log_reader *reader)
{
	return reader->tree_known ? &reader->tree : NULL;
}

const struct log_end *log_reader_end(const struct log_reader *reader)
{
	return &reader->end;
}

const struct log_torn *log_reader_torn(const struct log_reader *reader)
{
	return &reader->end.torn;
}

uint64_t log_reader_bytes(const struct log_reader *reader)
{
	return lines_bytes(reader->lines);
}

uint64_t log_reader_defect_count(const struct log_reader *reader)
{
	return reader->defect_count;
}
