/*
 * A ledger in a directory of its own for one test: leaves with a made-up clock, checkpoints signed
 * by a key made here, and files that can be damaged as one likes.
 */
#pragma once

#include "unit/cmocka_prelude.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/checked.h"
#include "ledger/checkpoint.h"
#include "ledger/checkpoint_file.h"
#include "ledger/log.h"
#include "ledger/verify.h"

#define FIXTURE_VOLUME "8d0c1fd2-6f5e-4b0e-9f8e-000000000001"
#define FIXTURE_ORIGIN "binvault/8d0c1fd2-6f5e-4b0e-9f8e-0000000000aa"

struct fixture {
	char path[64];
	int dir_fd;
	struct leaf_stamp stamp;
	uint64_t leaves_per_file;
	size_t state_parts;
	unsigned created_count;
	unsigned full_count;
	uint64_t appended_count; /* told by the operation */
	struct tree appended;
	struct log *log;
	EVP_PKEY *signing_key;
	struct public_key *public_key;
	struct hash fingerprint;
	/* what a verification or a reader told */
	unsigned defect_count;
	char defect_file[64];
	uint64_t defect_offset;
	char defect_sentence[512];
};

/* --- operations ----------------------------------------------------------------------------- */

static inline int fixture_state(void *context, json_t **ret_states, struct error *err)
{
	struct fixture *f = context;
	json_t *states = json_array();

	(void)err;
	for (size_t i = 0; i < f->state_parts; i++) {
		json_t *state = json_object();

		json_put_u64(state, "note", f->appended_count);
		json_array_append_new(states, state);
	}
	*ret_states = states;
	return 0;
}

static inline int fixture_created(void *context, int fd, const char *name, struct error *err)
{
	struct fixture *f = context;

	(void)name;
	(void)err;
	assert_true(fd >= 0);
	f->created_count++;
	return 0;
}

static inline int fixture_full(void *context, int fd, const char *name, struct error *err)
{
	struct fixture *f = context;

	(void)name;
	(void)err;
	assert_true(fd >= 0);
	f->full_count++;
	return 0;
}

static inline void fixture_appended(void *context, const struct leaf *leaf)
{
	struct fixture *f = context;

	f->appended_count++;
	if (f->appended.size == leaf->index)
		tree_append(&f->appended, &leaf->hash);
}

static const struct log_operations fixture_operations = {
	.state = fixture_state,
	.file_created = fixture_created,
	.file_full = fixture_full,
	.appended = fixture_appended,
};

/* --- the directory --------------------------------------------------------------------------- */

/* Memory if it can do direct I/O, because some tests append many thousand times. */
static inline void fixture_directory(struct fixture *f)
{
	int fd;

	snprintf(f->path, sizeof(f->path), "/dev/shm/ledger-test-XXXXXX");
	if (mkdtemp(f->path)) {
		f->dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(f->dir_fd >= 0);
		fd = openat(f->dir_fd, "probe", O_CREAT | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600);
		unlinkat(f->dir_fd, "probe", 0);
		if (fd >= 0) {
			close(fd);
			return;
		}
		close(f->dir_fd);
		rmdir(f->path);
	}
	snprintf(f->path, sizeof(f->path), "/tmp/ledger-test-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir_fd >= 0);
}

static inline void fixture_clear(struct fixture *f)
{
	DIR *directory = fdopendir(openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *entry;

	while ((entry = readdir(directory)))
		unlinkat(f->dir_fd, entry->d_name, 0);
	closedir(directory);
}

static inline void fixture_init(struct fixture *f)
{
	unsigned char *der = NULL;
	struct error err;
	int size;

	memset(f, 0, sizeof(*f));
	f->leaves_per_file = LOG_LEAVES_PER_FILE;
	f->state_parts = 1;
	f->stamp.time_usec = UINT64_C(1787484066918123);
	snprintf(f->stamp.boot_id, sizeof(f->stamp.boot_id), "%s",
		 "6f1c1fd2-6f5e-4b0e-9f8e-00000000b007");
	fixture_directory(f);
	f->signing_key = EVP_EC_gen("P-256");
	assert_non_null(f->signing_key);
	size = i2d_PUBKEY(f->signing_key, &der);
	assert_true(size > 0);
	assert_ok(public_key_decode(der, (size_t)size, &f->public_key, &err), &err);
	public_key_fingerprint(f->public_key, &f->fingerprint);
	OPENSSL_free(der);
}

static inline void fixture_release(struct fixture *f)
{
	log_free(f->log);
	public_key_free(f->public_key);
	EVP_PKEY_free(f->signing_key);
	fixture_clear(f);
	close(f->dir_fd);
	rmdir(f->path);
}

/* Whole files, as plain bytes. */
struct bytes {
	char *data;
	size_t size;
};

static inline struct bytes fixture_load(struct fixture *f, const char *name)
{
	struct bytes out;
	struct stat status;
	int fd = openat(f->dir_fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	out.size = (size_t)status.st_size;
	out.data = malloc(out.size + 1);
	assert_int_equal(pread(fd, out.data, out.size, 0), (ssize_t)out.size);
	out.data[out.size] = '\0';
	close(fd);
	return out;
}

static inline void fixture_store(struct fixture *f, const char *name, const void *data, size_t size)
{
	int fd = openat(f->dir_fd, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, size, 0), (ssize_t)size);
	close(fd);
}

/* --- log -------------------------------------------------------------------------------------- */

static inline int fixture_reader_end(struct fixture *f, bool from_state,
				     struct log_reader **ret_reader, struct error *err)
{
	struct log_reader_options options = {
		.from_state = from_state,
		.direct = true,
		.volume = FIXTURE_VOLUME,
	};
	const struct leaf *leaf;
	int r = log_reader_new(f->dir_fd, &options, ret_reader, err);

	while (r == 0) {
		r = log_reader_next(*ret_reader, &leaf, err);
		if (r <= 0)
			return r;
		r = 0;
	}
	return r;
}

/* Open for appending, from state, as the keeper does. */
static inline int fixture_open(struct fixture *f, struct error *err)
{
	CLEANUP(log_reader_freep)
	struct log_reader *reader = NULL;
	struct log_options options = {
		.leaves_per_file = f->leaves_per_file,
		.volume = FIXTURE_VOLUME,
		.operations = &fixture_operations,
		.context = f,
	};
	int r;

	log_free(f->log);
	f->log = NULL;
	r = fixture_reader_end(f, true, &reader, err);
	if (r < 0)
		return r;
	f->stamp.uptime_usec += 1000;
	return log_open(f->dir_fd, &options, reader, &f->stamp, &f->log, err);
}

/* Append one leaf whose field "body" has @body_length bytes. */
static inline int fixture_append(struct fixture *f, size_t body_length, struct error *err)
{
	json_t *object = json_object();
	char *body = malloc(body_length + 1);
	int r;

	memset(body, 'b', body_length);
	body[body_length] = '\0';
	json_put_string(object, "type", "test");
	json_put_string(object, "body", body);
	f->stamp.time_usec += 1000;
	f->stamp.uptime_usec += 1000;
	r = log_append(f->log, object, &f->stamp, NULL, err);
	json_decref(object);
	free(body);
	return r;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static inline int fixture_sign(struct fixture *f, const char *origin, const struct tree *tree,
			       char note[static CHECKPOINT_NOTE_SIZE + 1], struct error *err)
{
	char body[CHECKPOINT_BODY_SIZE];
	unsigned char signature[SIGNATURE_SIZE_MAX];
	size_t size = sizeof(signature);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	struct hash root;

	tree_root(tree, &root);
	assert_ok(checkpoint_body(origin, tree->size, &root, body, err), err);
	assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, f->signing_key), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &size, (const unsigned char *)body,
					strlen(body)),
			 1);
	EVP_MD_CTX_free(context);
	return checkpoint_compose(body, &f->fingerprint, signature, size, note, err);
}

/* Sign the log's tree and append the checkpoint; a torn end gets its void leaf first. */
static inline void fixture_checkpoint(struct fixture *f)
{
	CLEANUP(checkpoint_file_freep)
	struct checkpoint_file *file = NULL;
	struct checkpoint_file_options options = {.volume = FIXTURE_VOLUME};
	char note[CHECKPOINT_NOTE_SIZE + 1];
	struct checkpoint last;
	struct leaf_void torn;
	struct error err;
	int length;

	assert_ok(checkpoint_file_open(f->dir_fd, &options, &last, &file, &err), &err);
	if (checkpoint_file_torn(file, &torn)) {
		json_t *object = leaf_void_new(&torn);

		assert_ok(log_append(f->log, object, &f->stamp, NULL, &err), &err);
		json_decref(object);
		checkpoint_file_voided(file);
	}
	length = fixture_sign(f, FIXTURE_ORIGIN, log_tree(f->log), note, &err);
	assert_ok(length, &err);
	assert_ok(checkpoint_file_append(file, note, (size_t)length, &err), &err);
}

/* --- verification ----------------------------------------------------------------------------- */

static inline void fixture_defect(void *context, const char *file, uint64_t offset,
				  const char *sentence)
{
	struct fixture *f = context;

	if (f->defect_count++ > 0)
		return;
	snprintf(f->defect_file, sizeof(f->defect_file), "%s", file);
	f->defect_offset = offset;
	snprintf(f->defect_sentence, sizeof(f->defect_sentence), "%s", sentence);
}

static inline void fixture_verify(struct fixture *f, struct ledger_summary *summary)
{
	struct checkpoint_keys keys = {.count = 1, .keys = {f->public_key}};
	struct ledger_verify_options options = {
		.origin = FIXTURE_ORIGIN,
		.volume = FIXTURE_VOLUME,
		.keys = &keys,
		.on_defect = fixture_defect,
		.context = f,
	};
	struct error err;

	f->defect_count = 0;
	f->defect_sentence[0] = '\0';
	assert_ok(ledger_verify(f->dir_fd, &options, summary, &err), &err);
	assert_int_equal(summary->defect_count, f->defect_count);
}

static inline void assert_clean(struct fixture *f)
{
	struct ledger_summary summary;

	fixture_verify(f, &summary);
	if (f->defect_count > 0)
		fail_msg("%s: offset %ju: %s", f->defect_file, (uintmax_t)f->defect_offset,
			 f->defect_sentence);
	assert_int_equal(summary.torn.size, 0);
	assert_int_equal(summary.torn_checkpoint_size, 0);
}
