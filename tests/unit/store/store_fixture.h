/*
 * A small archive in a directory of its own: keys made here, segments with real frames, sealed as
 * the keeper does it, and files that can be damaged as one likes.
 */
#pragma once

#include "unit/cmocka_prelude.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/checked.h"
#include "crypto/random.h"
#include "io/file.h"
#include "ledger/checkpoint.h"
#include "store/segment_file.h"
#include "store/store.h"
#include "store/verify.h"
#include "volume/reader.h"
#include "volume/writer.h"

struct fixture {
	char path[64];
	const char *volumes[1];
	struct store *store;
	struct secret period_key;
	/* what a verification told */
	unsigned defect_count;
	char sentences[16][ERROR_MESSAGE_SIZE];
	unsigned sign_count;
	bool sign_fails;
	uint64_t seed;
	bool same_files; /* a file's id is the same in all generations */
};

static EVP_PKEY *checkpoint_key, *manifest_key, *master_key, *other_key;

static inline int fixture_keys(void **state)
{
	(void)state;
	checkpoint_key = EVP_EC_gen("P-256");
	manifest_key = EVP_EC_gen("P-256");
	other_key = EVP_EC_gen("P-256");
	master_key = EVP_RSA_gen(3072);
	assert_non_null(checkpoint_key);
	assert_non_null(manifest_key);
	assert_non_null(other_key);
	assert_non_null(master_key);
	return 0;
}

static inline int fixture_keys_free(void **state)
{
	(void)state;
	EVP_PKEY_free(checkpoint_key);
	EVP_PKEY_free(manifest_key);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(master_key);
	return 0;
}

static inline size_t fixture_der(EVP_PKEY *key, uint8_t out[static PUBLIC_KEY_DER_MAX])
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key, &der);

	assert_true(size > 0 && size <= PUBLIC_KEY_DER_MAX);
	memcpy(out, der, (size_t)size);
	OPENSSL_free(der);
	return (size_t)size;
}

/* --- the directory --------------------------------------------------------------------------- */

/* @base: "/dev/shm" where speed counts, "/tmp" where flags do. */
static inline void fixture_init(struct fixture *f, const char *base)
{
	struct error err;

	memset(f, 0, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "%s/store-test-XXXXXX", base);
	assert_non_null(mkdtemp(f->path));
	f->volumes[0] = f->path;
	assert_ok(secret_init(&f->period_key, PERIOD_KEY_SIZE, &err), &err);
	random_secret_bytes(f->period_key.bytes, PERIOD_KEY_SIZE);
}

static inline int fixture_remove_one(const char *path, const struct stat *status, int type,
				     struct FTW *where)
{
	(void)status;
	(void)where;
	if (type == FTW_DP)
		rmdir(path);
	else
		unlink(path);
	return 0;
}

static inline int fixture_unprotect_one(const char *path, const struct stat *status, int type,
					struct FTW *where)
{
	struct error ignored;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)status;
	(void)type;
	(void)where;
	if (fd >= 0) {
		(void)!file_protect(fd, FILE_PROTECTION_NONE, &ignored);
		close(fd);
	}
	return 0;
}

static inline void fixture_unprotect(struct fixture *f)
{
	nftw(f->path, fixture_unprotect_one, 8, FTW_PHYS);
}

static inline void fixture_close(struct fixture *f)
{
	store_free(f->store);
	f->store = NULL;
}

static inline void fixture_release(struct fixture *f)
{
	fixture_close(f);
	secret_release(&f->period_key);
	fixture_unprotect(f);
	nftw(f->path, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Whole files of the archive, as plain bytes. */
struct bytes {
	char *data;
	size_t size;
};

static inline struct bytes fixture_load(struct fixture *f, const char *name)
{
	char path[1200];
	struct bytes out;
	struct stat status;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	out.size = (size_t)status.st_size;
	out.data = malloc(out.size + 1);
	assert_int_equal(pread(fd, out.data, out.size, 0), (ssize_t)out.size);
	out.data[out.size] = '\0';
	close(fd);
	return out;
}

static inline void fixture_save(struct fixture *f, const char *name, const void *data, size_t size)
{
	char path[1200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, size, 0), (ssize_t)size);
	close(fd);
}

/* --- init ------------------------------------------------------------------------------------ */

static inline int fixture_sign(void *context, struct store *store, uint64_t size,
			       const struct hash *root,
			       uint8_t signature[static SIGNATURE_SIZE_MAX],
			       size_t *ret_signature_size, struct error *err)
{
	struct fixture *f = context;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	char body[CHECKPOINT_BODY_SIZE];

	if (f->sign_fails) {
		EVP_MD_CTX_free(md);
		return error_set(err, ERROR_UNAVAILABLE, "the HSM is away");
	}
	f->sign_count++;
	assert_ok(checkpoint_body(store_origin(store), size, root, body, err), err);
	assert_int_equal(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, checkpoint_key), 1);
	*ret_signature_size = SIGNATURE_SIZE_MAX;
	assert_int_equal(EVP_DigestSign(md, signature, ret_signature_size,
					(const unsigned char *)body, strlen(body)),
			 1);
	EVP_MD_CTX_free(md);
	return 0;
}

static inline struct store_create_options fixture_options(struct fixture *f, enum worm_mode worm,
							  uint64_t leaves_per_file)
{
	return (struct store_create_options){
		.name = "vault01",
		.volumes = f->volumes,
		.volume_count = 1,
		.worm = worm,
		.leaves_per_file = leaves_per_file,
		.owner = (uid_t)-1,
		.group = (gid_t)-1,
	};
}

static inline void fixture_beginning(struct store_beginning *ret, enum worm_mode worm)
{
	memset(ret, 0, sizeof(*ret));
	ret->master.sequence = 1;
	snprintf(ret->master.label, sizeof(ret->master.label), "BinvaultMasterKey_1");
	ret->master.der_size = fixture_der(master_key, ret->master.der);
	ret->checkpoint.role = SIGNING_CHECKPOINT;
	snprintf(ret->checkpoint.label, sizeof(ret->checkpoint.label), "checkpoint");
	ret->checkpoint.der_size = fixture_der(checkpoint_key, ret->checkpoint.der);
	ret->manifest.role = SIGNING_MANIFEST;
	snprintf(ret->manifest.label, sizeof(ret->manifest.label), "manifest");
	ret->manifest.der_size = fixture_der(manifest_key, ret->manifest.der);
	ret->policy.worm = worm;
	ret->policy.class_count = 1;
	snprintf(ret->policy.classes[0].name, sizeof(ret->policy.classes[0].name), "finance");
	ret->policy.classes[0].keep_usec = 1000;
	ret->policy.classes[0].minimum_usec = 1000;
	ret->policy.classes[0].maximum_usec = 2000;
}

static inline int fixture_try(struct fixture *f, enum worm_mode worm, uint64_t leaves_per_file,
			      struct error *err)
{
	struct store_create_options options = fixture_options(f, worm, leaves_per_file);
	struct store_beginning *beginning = malloc(sizeof(*beginning));
	int r = store_create(&options, &f->store, err);

	fixture_beginning(beginning, worm);
	if (r == 0)
		r = store_begin(f->store, beginning, fixture_sign, f, err);
	free(beginning);
	return r;
}

static inline void fixture_create(struct fixture *f, enum worm_mode worm, uint64_t leaves_per_file)
{
	struct error err;

	assert_ok(fixture_try(f, worm, leaves_per_file, &err), &err);
}

static inline void fixture_reopen(struct fixture *f)
{
	struct error err;

	fixture_close(f);
	assert_ok(store_open(f->volumes, 1, STORE_WRITE, &f->store, &err), &err);
}

static inline void fixture_checkpoint(struct fixture *f)
{
	uint8_t signature[SIGNATURE_SIZE_MAX];
	const struct tree *tree = store_tree(f->store);
	struct hash root;
	struct error err;
	size_t size;

	tree_root(tree, &root);
	assert_ok(fixture_sign(f, f->store, tree->size, &root, signature, &size, &err), &err);
	assert_ok(store_checkpoint_append(f->store, tree->size, &root, signature, size, &err),
		  &err);
}

/* --- periods and segments -------------------------------------------------------------------- */

static inline void fixture_period_record(struct fixture *f, const char *source,
					 struct period_record *ret)
{
	CLEANUP(public_key_freep)
	struct public_key *master = NULL;
	const struct master_record *record = state_master(store_state(f->store));
	struct error err;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->archive_id, store_archive_id(f->store), STORE_ID_SIZE);
	random_bytes(ret->id, STORE_ID_SIZE);
	snprintf(ret->source, sizeof(ret->source), "%s", source);
	snprintf(ret->class, sizeof(ret->class), "finance");
	snprintf(ret->month, sizeof(ret->month), "2026-11");
	ret->master_sequence = record->sequence;
	assert_ok(public_key_decode(record->der, record->der_size, &master, &err), &err);
	assert_ok(period_record_bind(ret, &f->period_key, master, &err), &err);
}

static inline void fixture_period(struct fixture *f, const char *source)
{
	struct period_record record;
	struct error err;

	fixture_period_record(f, source, &record);
	assert_ok(store_append(f->store, period_record_encode(&record), NULL, &err), &err);
}

struct fixture_segment {
	uint64_t opened_index;
	struct segment_opened_record opened;
	struct segment_files files;
	struct segment_writer *writer;
	struct secret key;
};

/* A file's id and generation are made of its name and @generation. */
static inline void fixture_open_segment(struct fixture *f, const char *source, const char *file,
					uint8_t generation, uint64_t start,
					struct fixture_segment *ret)
{
	const struct period_record *period =
		state_period_newest(store_state(f->store), source, "finance");
	struct segment_writer_options options = {.compression_level = 0};
	struct segment_header header = {
		.block_size = store_block_size(f->store),
		.start_position = start,
		.created_usec = 1700000000000000u,
	};
	char name[64];
	struct error err;

	if (!period) {
		fixture_period(f, source);
		period = state_period_newest(store_state(f->store), source, "finance");
	}
	memset(ret, 0, sizeof(*ret));
	memcpy(header.archive_id, store_archive_id(f->store), STORE_ID_SIZE);
	random_bytes(header.segment_id, SEGMENT_ID_SIZE);
	memcpy(header.period_id, period->id, STORE_ID_SIZE);
	memset(header.generation.bytes, generation + 1, HASH_SIZE);
	memset(header.identity, 7, sizeof(header.identity));
	snprintf(name, sizeof(name), "%s%d", file, f->same_files ? 0 : generation);
	hash_bytes(name, strlen(name), &header.file_id);
	snprintf(header.source, sizeof(header.source), "%s", source);
	snprintf(header.binlog_file, sizeof(header.binlog_file), "%s", file);
	assert_ok(segment_header_encode(&header, ret->opened.header_bytes, &err), &err);
	assert_ok(segment_files_create(f->store, ret->opened.header_bytes, "2026-11", &ret->files,
				       &err),
		  &err);
	memcpy(ret->opened.path, ret->files.path, sizeof(ret->opened.path));
	assert_ok(store_append(f->store, segment_opened_record_encode(&ret->opened),
			       &ret->opened_index, &err),
		  &err);
	assert_ok(segment_key_derive(&f->period_key, ret->opened.header_bytes, &ret->key, &err),
		  &err);
	assert_ok(segment_writer_new(&header, &ret->key, &options, &ret->writer, &err), &err);
}

static inline void fixture_write(struct fixture_segment *segment,
				 const struct segment_output *output)
{
	struct error err;

	assert_ok(file_append_durable(segment->files.fds[0], output->bytes, output->size, &err),
		  &err);
	segment_writer_written(segment->writer);
}

/* One event of @size bytes as one frame. */
static inline void fixture_event(struct fixture *f, struct fixture_segment *segment, size_t size)
{
	uint64_t position = segment_writer_state(segment->writer)->position;
	struct segment_event event = {
		.position = position,
		.length = size,
		.crc = (uint32_t)position,
		.time_usec = 1700000000000000u + position,
		.transaction_end = true,
		.gtid_group = (const uint8_t *)"0-11",
		.gtid_group_size = 4,
		.gtid_sequence = position,
	};
	struct segment_output output;
	uint8_t *bytes = malloc(size);
	size_t done = 0;

	random_bytes(bytes, size);
	(void)f;
	while (done < size) {
		done += segment_writer_add(segment->writer, bytes + done, size - done);
		if (done < size) {
			segment_writer_build(segment->writer, 1700000001000000u, &output);
			fixture_write(segment, &output);
		}
	}
	segment_writer_event_end(segment->writer, &event);
	segment_writer_build(segment->writer, 1700000001000000u, &output);
	fixture_write(segment, &output);
	free(bytes);
}

static inline void fixture_sealed_record(struct fixture *f, struct fixture_segment *segment,
					 struct segment_sealed_record *ret)
{
	CLEANUP(close_fdp)
	int fd = -1;
	struct segment_scan scan;
	struct segment_header header;
	struct error err;

	memset(ret, 0, sizeof(*ret));
	fd = segment_file_open(f->store, 0, segment->files.path, SEGMENT_DIRECT, &err);
	assert_ok(fd, &err);
	assert_ok(segment_scan(fd, &segment->key, &scan, &err), &err);
	assert_true(scan.sealed);
	assert_ok(segment_hash(fd, &ret->hashes, &err), &err);
	assert_ok(segment_file_protect_immutable(f->store, fd, &err), &err);
	header = scan.header;
	memcpy(ret->segment_id, header.segment_id, SEGMENT_ID_SIZE);
	memcpy(ret->period_id, header.period_id, SEGMENT_ID_SIZE);
	ret->opened_index = segment->opened_index;
	memcpy(ret->source, header.source, sizeof(ret->source));
	memcpy(ret->binlog_file, header.binlog_file, sizeof(ret->binlog_file));
	memcpy(ret->path, segment->files.path, sizeof(ret->path));
	ret->generation = header.generation;
	ret->file_id = header.file_id;
	memcpy(ret->identity, header.identity, sizeof(ret->identity));
	ret->start_position = header.start_position;
	ret->end = scan.end;
	segment_sealed_record_set_ranges(ret, scan.ranges, &scan.ranges_hash);
	segment_scan_release(&scan);
}

static inline void fixture_end(struct fixture_segment *segment, enum segment_ended ended,
			       const char *next_file)
{
	struct segment_output output;
	struct error err;

	assert_ok(segment_writer_end(segment->writer, ended, next_file, NULL, 1700000002000000u,
				     &output, &err),
		  &err);
	fixture_write(segment, &output);
	segment_files_release(&segment->files);
}

static inline void fixture_abandon(struct fixture_segment *segment)
{
	segment_files_release(&segment->files);
	segment_writer_free(segment->writer);
	secret_release(&segment->key);
}

static inline void fixture_seal(struct fixture *f, struct fixture_segment *segment,
				enum segment_ended ended, const char *next_file)
{
	struct segment_sealed_record *record = malloc(sizeof(*record));
	struct error err;

	fixture_end(segment, ended, next_file);
	fixture_sealed_record(f, segment, record);
	assert_ok(store_append(f->store, segment_sealed_record_encode(record), NULL, &err), &err);
	segment_sealed_record_release(record);
	free(record);
	fixture_abandon(segment);
}

/* A whole sealed segment; returns where it ends. */
static inline uint64_t fixture_segment(struct fixture *f, const char *source, const char *file,
				       uint64_t start, size_t size, enum segment_ended ended,
				       const char *next_file)
{
	struct fixture_segment segment;

	fixture_open_segment(f, source, file, 0, start, &segment);
	if (size)
		fixture_event(f, &segment, size);
	fixture_seal(f, &segment, ended, next_file);
	return start + size;
}

/* --- verification ----------------------------------------------------------------------------- */

static inline void fixture_defect(void *context, const char *volume, const char *sentence)
{
	struct fixture *f = context;

	assert_string_equal(volume, f->path);
	if (f->defect_count < ARRAY_LENGTH(f->sentences))
		snprintf(f->sentences[f->defect_count], sizeof(f->sentences[0]), "%s", sentence);
	f->defect_count++;
}

static inline int fixture_audit(struct fixture *f, bool copy, struct verify_result *ret_result,
				struct error *err)
{
	struct verify_options options = {
		.volumes = f->volumes,
		.volume_count = 1,
		.copy = copy,
		.thread_count = 2,
		.report_defect = fixture_defect,
		.context = f,
	};

	f->defect_count = 0;
	memset(f->sentences, 0, sizeof(f->sentences));
	return store_verify(&options, ret_result, err);
}

static inline void assert_clean(struct fixture *f)
{
	struct verify_result result;
	struct error err;

	assert_ok(fixture_audit(f, false, &result, &err), &err);
	if (f->defect_count)
		fail_msg("%u defects, the first: %s", f->defect_count, f->sentences[0]);
	assert_int_equal(result.defect_count, 0);
}

/* Some defect's sentence contains @words. */
static inline void assert_defect(struct fixture *f, const char *words)
{
	struct verify_result result;
	struct error err;

	assert_ok(fixture_audit(f, false, &result, &err), &err);
	assert_true(result.defect_count > 0);
	for (unsigned i = 0; i < MIN(f->defect_count, ARRAY_LENGTH(f->sentences)); i++) {
		if (strstr(f->sentences[i], words))
			return;
	}
	fail_msg("none of %u defects contains '%s'; the first is '%s'", f->defect_count, words,
		 f->sentences[0]);
}
