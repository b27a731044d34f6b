#include <poll.h>
#include <sys/socket.h>

#include "unit/cmocka_prelude.h"
#include "unit/keeper/keeper_fixture.h"
#include "unit/keeper/tar_builder.h"

#include "base/checked.h"
#include "base/hex.h"
#include "keeper/export.h"
#include "keeper/export_directory.h"
#include "protocol/export_messages.h"
#include "protocol/manifest.h"
#include "volume/reader.h"

#define FILE_NAME "bin.000001"

/* A keeper with one sealed segment, and an exporter that the test plays. */
struct scene {
	struct fixture *fixture;
	int listen_fd;
	int fd; /* the exporter's connection, -1: none */
	int directory_fd;
	char share[128];
	char id[REQUEST_ID_SIZE];
	struct message message;
	struct export_segment segment;
};

static void seal_one(struct fixture *fixture)
{
	struct held held;

	fixture_attach(fixture);
	fixture_open(fixture, FILE_NAME, 4, &held);
	held_event(&held, 0);
	held_event(&held, 0);
	held_end(&held, SEGMENT_ENDED_ROTATE, "bin.000002");
	fixture_closed(fixture, &held);
	assert_true(fixture_run_until(fixture, 10, fixture_is_sealed, fixture));
	assert_true(fixture_run_until(fixture, 10, fixture_is_signed, fixture));
}

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	char path[CONFIG_SOCKET_PATH_SIZE], more[256];
	struct error err = {0};

	scene->fixture = fixture_new();
	scene->fd = -1;
	scene->directory_fd = -1;
	snprintf(scene->share, sizeof(scene->share), "%s/share", scene->fixture->directory);
	assert_int_equal(mkdir(scene->share, 0755), 0);
	snprintf(more, sizeof(more),
		 "[export]\npath = %s\n[client restore1]\naddress = 192.0.2.1\nkeep = 1h\n",
		 scene->share);
	fixture_config(scene->fixture, more);
	assert_ok(config_socket(scene->fixture->config, "export", path, &err), &err);
	scene->listen_fd = channel_listen(path, 0600, (uid_t)-1, (gid_t)-1, &err);
	assert_ok(scene->listen_fd, &err);
	signer_start(&scene->fixture->signer);
	fixture_start(scene->fixture);
	seal_one(scene->fixture);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	message_release(&scene->message);
	close(scene->listen_fd);
	close_fdp(&scene->fd);
	close_fdp(&scene->directory_fd);
	fixture_free(scene->fixture);
	free(scene);
	return 0;
}

/* --- the operator ---------------------------------------------------------------------------- */

/* One question; the caller releases the answer. */
static json_t *ask(struct scene *scene, const char *text)
{
	char path[CONFIG_SOCKET_PATH_SIZE], bytes[CHANNEL_MESSAGE_MAX];
	json_t *reply = NULL;
	struct error err = {0};
	size_t fd_count;
	ssize_t size;
	int fd;

	assert_ok(config_socket(scene->fixture->config, "operator", path, &err), &err);
	fd = channel_connect(path, &err);
	assert_ok(fd, &err);
	assert_ok(channel_send(fd, text, strlen(text), NULL, 0, &err), &err);
	assert_true(fixture_run_until(scene->fixture, 5, fixture_readable, &fd));
	size = channel_receive(fd, bytes, NULL, 0, &fd_count, &err);
	assert_true(size > 0);
	close(fd);
	assert_ok(json_parse(bytes, (size_t)size, &reply, &err), &err);
	return reply;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void assert_refused(struct scene *scene, const char *request, const char *code,
			   const char *words)
{
	json_t *reply = ask(scene, request);
	const json_t *error = json_object_get(reply, "error");

	assert_string_equal(text_of(error, "code"), code);
	if (!strstr(text_of(error, "sentence"), words))
		fail_msg("'%s' does not contain '%s'", text_of(error, "sentence"), words);
	json_decref(reply);
}

static void request(struct scene *scene, const char *text)
{
	json_t *reply = ask(scene, text);

	if (json_object_get(reply, "error"))
		fail_msg("%s", text_of(json_object_get(reply, "error"), "sentence"));
	snprintf(scene->id, sizeof(scene->id), "%s", text_of(reply, "request"));
	assert_int_equal(strlen(scene->id), 8);
	json_decref(reply);
}

static json_t *report(struct scene *scene)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"verb\":\"request-status\",\"request\":\"%s\"}", scene->id);
	return ask(scene, text);
}

static bool has_no_request(void *context)
{
	struct fixture *fixture = context;

	return state_request_count(store_state(fixture->keeper->store)) == 0;
}

static void assert_ended(struct scene *scene, const char *code, const char *words)
{
	const json_t *failure;
	json_t *answer;

	assert_true(fixture_run_until(scene->fixture, 10, has_no_request, scene->fixture));
	answer = report(scene);
	assert_string_equal(text_of(answer, "state"), "failed");
	failure = json_object_get(answer, "failure");
	if (!strstr(text_of(failure, "sentence"), words))
		fail_msg("'%s' does not contain '%s'", text_of(failure, "sentence"), words);
	assert_string_equal(text_of(failure, "code"), code);
	json_decref(answer);
}

/* How many names the share has beside the client's directory. */
static size_t share_count(const struct scene *scene)
{
	DIR *directory = opendir(scene->share);
	const struct dirent *entry;
	size_t count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		count += entry->d_name[0] != '.' && strcmp(entry->d_name, "restore1") != 0;
	closedir(directory);
	return count;
}

/* --- the exporter ---------------------------------------------------------------------------- */

static void exporter_receive(struct scene *scene, enum message_type type)
{
	struct error err = {0};

	message_release(&scene->message);
	assert_true(fixture_run_until(scene->fixture, 10, fixture_readable, &scene->fd));
	assert_int_equal(message_receive(scene->fd, &scene->message, &err), 1);
	assert_ok(message_expect(&scene->message, type, &err), &err);
}

static struct export_begin exporter_accept(struct scene *scene)
{
	const struct hello hello = {.program = "binvault-export", .version = "test"};
	struct export_begin begin;
	struct error err = {0};

	assert_true(fixture_run_until(scene->fixture, 10, fixture_readable, &scene->listen_fd));
	scene->fd = channel_accept(scene->listen_fd, &err);
	assert_ok(scene->fd, &err);
	assert_ok(hello_send(scene->fd, &hello, &err), &err);
	exporter_receive(scene, MESSAGE_HELLO);
	exporter_receive(scene, MESSAGE_EXPORT_BEGIN);
	assert_ok(export_begin_decode(&scene->message, &begin, &err), &err);
	if (begin.kind == EXPORT_RESTORE)
		scene->directory_fd = message_take_fd(&scene->message, 0);
	return begin;
}

/* The key that came opens the file that came. */
static void exporter_read(struct scene *scene)
{
	CLEANUP(segment_reader_freep)
	struct segment_reader *reader = NULL;
	struct secret key = {0};
	struct error err = {0};
	int fd;

	exporter_receive(scene, MESSAGE_EXPORT_SEGMENT);
	assert_ok(export_segment_decode(&scene->message, &scene->segment, &err), &err);
	fd = message_take_fd(&scene->message, 0);
	assert_ok(secret_init(&key, sizeof(scene->segment.key), &err), &err);
	memcpy(key.bytes, scene->segment.key, key.size);
	assert_ok(segment_reader_new(fd, &reader, &err), &err);
	assert_ok(segment_reader_unlock(reader, &key, NULL, &err), &err);
	secret_release(&key);
	close(fd);
}

static void exporter_done(struct scene *scene, int code, const char *sentence)
{
	struct export_segment_done done = {.good_end = scene->segment.good_end, .code = code};
	struct error err = {0};

	snprintf(done.sentence, sizeof(done.sentence), "%s", sentence);
	assert_ok(export_segment_done_send(scene->fd, &done, &err), &err);
}

static void write_file(const struct scene *scene, const char *name, const void *bytes, size_t size)
{
	int fd = openat(scene->directory_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

/* A manifest about what was read, if @good_end is that of the segment. */
static int make_body(const struct scene *scene, uint64_t good_end, char *body, size_t size)
{
	char segment[HEX_SIZE(SEGMENT_ID_SIZE)], hash[HEX_SIZE(HASH_SIZE)] = {0};
	struct segment_header header;
	struct error err = {0};

	assert_ok(segment_header_decode(scene->segment.header, &header, &err), &err);
	hex_encode(header.segment_id, SEGMENT_ID_SIZE, segment);
	memset(hash, 'a', sizeof(hash) - 1);
	return snprintf(
		body, size,
		"{\"files\":[{\"name\":\"" FILE_NAME "\",\"sha256\":\"%s\",\"size\":\"204\"}],"
		"\"ranges\":[{\"file\":\"" FILE_NAME "\",\"good_end\":\"%llu\",\"leaf\":\"%llu\","
		"\"segment\":\"%s\",\"start\":\"4\"}],\"request\":\"%s\",\"schema\":1,"
		"\"source\":\"orders\",\"type\":\"binvault-restore\","
		"\"until\":{\"file\":\"" FILE_NAME "\",\"position\":\"204\",\"time\":\"\"}}",
		hash, (unsigned long long)good_end, (unsigned long long)scene->segment.leaf_index,
		segment, scene->id);
}

static void exporter_result(struct scene *scene, uint64_t good_end)
{
	struct export_result result = {
		.file_count = 1,
		.byte_count = 204,
		.until_file = FILE_NAME,
		.until_position = 204,
	};
	char body[2048];
	struct error err = {0};
	int size, body_fd;

	exporter_receive(scene, MESSAGE_EXPORT_FINISH);
	size = make_body(scene, good_end, body, sizeof(body));
	write_file(scene, MANIFEST_BODY_FILE, body, (size_t)size);
	hash_bytes(body, (size_t)size, &result.body_hash);
	body_fd = channel_body_new(body, (size_t)size, &err);
	assert_ok(body_fd, &err);
	assert_ok(export_result_send(scene->fd, &result, body_fd, &err), &err);
	close(body_fd);
}

static void exporter_manifest(struct scene *scene)
{
	struct export_manifest manifest;
	struct error err = {0};

	exporter_receive(scene, MESSAGE_EXPORT_MANIFEST);
	assert_ok(export_manifest_decode(&scene->message, &manifest, &err), &err);
	write_file(scene, MANIFEST_SIGNATURE_FILE, manifest.signature, manifest.signature_size);
}

static bool share_has(const struct scene *scene, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", scene->share, name);
	return access(path, F_OK) == 0;
}

/* --- the tests ------------------------------------------------------------------------------- */

#define RESTORE "{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r1\"}"

static void a_restore_gets_its_name_when_all_is_signed(void **state)
{
	struct scene *scene = *state;
	struct export_begin begin;
	struct error err = {0};
	json_t *answer;

	request(scene, RESTORE);
	begin = exporter_accept(scene);
	assert_string_equal(begin.request, scene->id);
	assert_string_equal(begin.source, "orders");
	assert_string_equal(begin.worm, "advisory");
	assert_int_equal(begin.segment_count, 1);
	exporter_read(scene);
	assert_int_equal(scene->segment.last_of_file, 1);
	exporter_done(scene, 0, "");
	exporter_result(scene, scene->segment.good_end);
	exporter_manifest(scene);
	assert_true(share_has(scene, "r1.partial"));
	assert_false(share_has(scene, "r1"));
	assert_ok(export_committed_send(scene->fd, &err), &err);
	assert_true(fixture_run_until(scene->fixture, 10, has_no_request, scene->fixture));
	assert_false(share_has(scene, "r1.partial"));
	assert_true(share_has(scene, "r1/" MANIFEST_KEY_FILE));
	answer = report(scene);
	assert_string_equal(text_of(answer, "state"), "done");
	assert_string_equal(text_of(answer, "until_position"), "204");
	assert_int_equal(json_array_size(json_object_get(answer, "files")), 1);
	json_decref(answer);
	assert_refused(scene, RESTORE, "9", "is there already");
}

static void a_manifest_of_something_else_is_not_signed(void **state)
{
	struct scene *scene = *state;

	request(scene, RESTORE);
	exporter_accept(scene);
	exporter_read(scene);
	exporter_done(scene, 0, "");
	exporter_result(scene, scene->segment.good_end - 1);
	assert_ended(scene, "3", "range 0: 'good_end' is 203 and not 204");
	assert_int_equal(share_count(scene), 0);
}

static void a_defect_fails_a_restore_and_leaves_nothing(void **state)
{
	struct scene *scene = *state;
	struct error reason, err = {0};

	request(scene, RESTORE);
	exporter_accept(scene);
	exporter_read(scene);
	write_file(scene, FILE_NAME, "half", 4);
	error_set(&reason, ERROR_DEFECT, "frame at offset 4096: it is wrong");
	assert_ok(message_send_failure(scene->fd, &reason, &err), &err);
	assert_ended(scene, "3", ".seg': frame at offset 4096: it is wrong");
	assert_int_equal(share_count(scene), 0);
}

static void an_exporter_that_dies_leaves_nothing(void **state)
{
	struct scene *scene = *state;

	request(scene, RESTORE);
	exporter_accept(scene);
	exporter_read(scene);
	write_file(scene, FILE_NAME, "half", 4);
	assert_true(share_has(scene, "r1.partial/" FILE_NAME));
	close(scene->fd);
	scene->fd = -1;
	assert_ended(scene, "5", "binvault-export ended before its work was done");
	assert_int_equal(share_count(scene), 0);
}

static void a_verification_notes_defects_and_goes_on(void **state)
{
	struct scene *scene = *state;
	const struct export_result result = {.byte_count = 200};
	struct error err = {0};
	json_t *answer;

	request(scene, "{\"verb\":\"verify-decrypt\"}");
	assert_int_equal(exporter_accept(scene).kind, EXPORT_VERIFY);
	exporter_read(scene);
	exporter_done(scene, ERROR_DEFECT, "frame at offset 4096: it is wrong");
	exporter_receive(scene, MESSAGE_EXPORT_FINISH);
	assert_ok(export_result_send(scene->fd, &result, -1, &err), &err);
	assert_true(fixture_run_until(scene->fixture, 10, has_no_request, scene->fixture));
	answer = report(scene);
	assert_string_equal(text_of(answer, "state"), "done");
	assert_string_equal(text_of(answer, "defect_count"), "1");
	assert_string_equal(
		text_of(json_array_get(json_object_get(answer, "defects"), 0), "sentence"),
		"frame at offset 4096: it is wrong");
	json_decref(answer);
}

static void a_segment_whose_file_is_gone_is_a_defect(void **state)
{
	struct scene *scene = *state;
	char command[256];

	snprintf(command, sizeof(command), "rm -f %s/volume/segments/orders/*/*.seg",
		 scene->fixture->directory);
	assert_int_equal(system(command), 0);
	request(scene, RESTORE);
	exporter_accept(scene);
	assert_ended(scene, "3", "No such file");
	assert_int_equal(share_count(scene), 0);
}

static void what_a_crash_left_is_removed_at_the_next_start(void **state)
{
	struct scene *scene = *state;
	json_t *answer;

	request(scene, RESTORE);
	exporter_accept(scene);
	exporter_read(scene);
	write_file(scene, FILE_NAME, "half", 4);
	fixture_puller_leave(scene->fixture);
	fixture_stop(scene->fixture);
	assert_true(share_has(scene, "r1.partial/" FILE_NAME));
	fixture_start(scene->fixture);
	assert_int_equal(share_count(scene), 0);
	assert_true(has_no_request(scene->fixture));
	answer = report(scene);
	assert_string_equal(text_of(json_object_get(answer, "error"), "code"), "8");
	json_decref(answer);
}

static int find_exported(void *context, const struct leaf *leaf, struct error *err)
{
	(void)err;
	if (leaf_is(leaf, "exported"))
		*(json_t **)context = json_incref(leaf->object);
	return 0;
}

/* A crash between the rename and the leaf: played by putting the name there while it runs. */
static void a_restore_that_was_renamed_gets_its_leaf_at_the_next_start(void **state)
{
	struct scene *scene = *state;
	struct exported_record record;
	json_t *leaf = NULL;
	char from[300], to[300];
	struct error err = {0};

	request(scene, RESTORE);
	exporter_accept(scene);
	exporter_read(scene);
	exporter_done(scene, 0, "");
	exporter_result(scene, scene->segment.good_end);
	exporter_manifest(scene);
	snprintf(from, sizeof(from), "%s/r1.partial", scene->share);
	snprintf(to, sizeof(to), "%s/r1", scene->share);
	assert_int_equal(rename(from, to), 0);
	fixture_puller_leave(scene->fixture);
	fixture_stop(scene->fixture);
	fixture_start(scene->fixture);
	assert_true(share_has(scene, "r1/" MANIFEST_BODY_FILE));
	assert_true(has_no_request(scene->fixture));
	assert_ok(store_leaves(scene->fixture->keeper->store, find_exported, &leaf, &err), &err);
	assert_non_null(leaf);
	assert_ok(exported_record_decode(leaf, &record, &err), &err);
	assert_string_equal(record.request, scene->id);
	assert_int_equal(record.byte_count, 204);
	json_decref(leaf);
}

/* What the exporter does from RESULT to COMMITTED; the key is there in time. */
static void exporter_tar(struct scene *scene)
{
	struct tar_builder tar = {0};
	struct export_manifest manifest;
	struct error err = {0};
	char body[2048];
	int size = make_body(scene, scene->segment.good_end, body, sizeof(body));

	exporter_result(scene, scene->segment.good_end);
	assert_int_equal(unlinkat(scene->directory_fd, MANIFEST_BODY_FILE, 0), 0);
	exporter_receive(scene, MESSAGE_EXPORT_MANIFEST);
	assert_int_equal(faccessat(scene->directory_fd, MANIFEST_KEY_FILE, R_OK, 0), 0);
	assert_ok(export_manifest_decode(&scene->message, &manifest, &err), &err);
	tar_builder_add(&tar, "r1/" FILE_NAME, "binlog", 6);
	tar_builder_add(&tar, "r1/" MANIFEST_BODY_FILE, body, (size_t)size);
	tar_builder_add(&tar, "r1/" MANIFEST_SIGNATURE_FILE, manifest.signature,
			manifest.signature_size);
	tar_builder_end(&tar);
	write_file(scene, MANIFEST_TAR_FILE, tar.bytes, tar.size);
}

#define RESTORE_TAR "{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r1\",\"form\":\"tar\"}"

static void a_tar_becomes_a_file_of_the_share(void **state)
{
	struct scene *scene = *state;
	struct export_begin begin;
	struct stat status;
	struct error err = {0};
	char path[300];
	json_t *answer;

	request(scene, RESTORE_TAR);
	begin = exporter_accept(scene);
	assert_int_equal(begin.form, EXPORT_TAR);
	assert_string_equal(begin.to, "r1");
	exporter_read(scene);
	exporter_done(scene, 0, "");
	exporter_tar(scene);
	assert_true(share_has(scene, "r1.tar.partial/" MANIFEST_TAR_FILE));
	assert_int_equal(share_count(scene), 1);
	/* The same file by its whole name. */
	assert_refused(scene, "{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r1.tar\"}", "9",
		       "is restoring to 'r1.tar' now");
	assert_ok(export_committed_send(scene->fd, &err), &err);
	assert_true(fixture_run_until(scene->fixture, 10, has_no_request, scene->fixture));
	assert_int_equal(share_count(scene), 1);
	snprintf(path, sizeof(path), "%s/r1.tar", scene->share);
	assert_int_equal(lstat(path, &status), 0);
	assert_true(S_ISREG(status.st_mode));
	answer = report(scene);
	assert_string_equal(text_of(answer, "state"), "done");
	assert_string_equal(text_of(answer, "name"), "r1.tar");
	json_decref(answer);
	assert_refused(scene, RESTORE_TAR, "9", "is there already");
}

static void a_tar_that_is_no_file_gets_no_name(void **state)
{
	struct scene *scene = *state;
	struct error err = {0};

	request(scene, RESTORE_TAR);
	exporter_accept(scene);
	exporter_read(scene);
	exporter_done(scene, 0, "");
	exporter_tar(scene);
	assert_int_equal(unlinkat(scene->directory_fd, MANIFEST_TAR_FILE, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", scene->directory_fd, MANIFEST_TAR_FILE), 0);
	assert_ok(export_committed_send(scene->fd, &err), &err);
	assert_ended(scene, "3", "is no file");
	assert_int_equal(share_count(scene), 0);
}

static void an_exporter_that_dies_inside_a_tar_leaves_nothing(void **state)
{
	struct scene *scene = *state;

	request(scene, RESTORE_TAR);
	exporter_accept(scene);
	exporter_read(scene);
	write_file(scene, FILE_NAME, "half", 4);
	write_file(scene, MANIFEST_TAR_FILE, "half", 4);
	close(scene->fd);
	scene->fd = -1;
	assert_ended(scene, "5", "binvault-export ended before its work was done");
	assert_int_equal(share_count(scene), 0);
}

/* A crash behind the rename: once the file is ours, once it is somebody else's. */
static void a_tar_that_was_renamed_gets_its_leaf_at_the_next_start(void **state)
{
	struct scene *scene = *state;

	for (int ours = 1; ours >= 0; ours--) {
		json_t *leaf = NULL;
		char from[300], to[300];
		struct error err = {0};

		request(scene, RESTORE_TAR);
		exporter_accept(scene);
		exporter_read(scene);
		exporter_done(scene, 0, "");
		exporter_tar(scene);
		snprintf(from, sizeof(from), "%s/r1.tar.partial/" MANIFEST_TAR_FILE, scene->share);
		snprintf(to, sizeof(to), "%s/r1.tar", scene->share);
		assert_int_equal(rename(from, to), 0);
		if (!ours)
			assert_int_equal(truncate(to, 4 * 512), 0);
		fixture_puller_leave(scene->fixture);
		fixture_stop(scene->fixture);
		fixture_start(scene->fixture);
		assert_int_equal(share_count(scene), 1);
		assert_true(share_has(scene, "r1.tar"));
		assert_true(has_no_request(scene->fixture));
		assert_ok(store_leaves(scene->fixture->keeper->store, find_exported, &leaf, &err),
			  &err);
		assert_non_null(leaf);
		assert_int_equal(strcmp(text_of(leaf, "request"), scene->id) == 0, ours);
		json_decref(leaf);
		assert_int_equal(unlink(to), 0);
		if (!ours)
			break;
		fixture_attach(scene->fixture);
		close(scene->fd);
		close(scene->directory_fd);
	}
}

/* --- what a client reads --------------------------------------------------------------------- */

static void restore_for_client(struct scene *scene, const char *text, const char *partial)
{
	struct error err = {0};

	request(scene, text);
	exporter_accept(scene);
	assert_true(share_has(scene, partial));
	exporter_read(scene);
	exporter_done(scene, 0, "");
	exporter_result(scene, scene->segment.good_end);
	exporter_manifest(scene);
	assert_false(share_has(scene, "restore1/r1"));
	assert_ok(export_committed_send(scene->fd, &err), &err);
	assert_true(fixture_run_until(scene->fixture, 10, has_no_request, scene->fixture));
}

#define FOR_CLIENT                                                                                 \
	"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r1\",\"client\":\"restore1\""

static void what_is_for_a_client_stands_in_its_directory_until_it_is_withdrawn(void **state)
{
	struct scene *scene = *state;
	char text[128];
	json_t *answer, *share;

	restore_for_client(scene, FOR_CLIENT "}", "restore1:r1.partial");
	assert_true(share_has(scene, "restore1/r1/" MANIFEST_KEY_FILE));
	assert_int_equal(share_count(scene), 0);
	answer = ask(scene, "{\"verb\":\"shares\"}");
	share = json_array_get(json_object_get(answer, "shares"), 0);
	assert_string_equal(text_of(share, "request"), scene->id);
	assert_string_equal(text_of(share, "client"), "restore1");
	assert_string_equal(text_of(share, "name"), "r1");
	json_decref(answer);
	snprintf(text, sizeof(text), "{\"verb\":\"withdraw\",\"request\":\"%s\"}", scene->id);
	answer = ask(scene, text);
	assert_string_equal(text_of(answer, "name"), "r1");
	json_decref(answer);
	assert_false(share_has(scene, "restore1/r1"));
	assert_int_equal(share_count(scene), 0);
	assert_refused(scene, text, "8", "share list");
}

static bool is_withdrawn(void *context)
{
	struct fixture *fixture = context;

	return state_shared_at(store_state(fixture->keeper->store), 0) == NULL;
}

static void it_is_withdrawn_at_its_end(void **state)
{
	struct scene *scene = *state;

	restore_for_client(scene, FOR_CLIENT ",\"keep_usec\":\"500000\"}", "restore1:r1.partial");
	assert_true(share_has(scene, "restore1/r1"));
	assert_true(fixture_run_until(scene->fixture, 10, is_withdrawn, scene->fixture));
	assert_false(share_has(scene, "restore1/r1"));
	assert_int_equal(share_count(scene), 0);
}

static void an_end_that_came_while_no_keeper_ran_is_seen_at_the_next_start(void **state)
{
	struct scene *scene = *state;

	restore_for_client(scene, FOR_CLIENT ",\"keep_usec\":\"300000\"}", "restore1:r1.partial");
	fixture_stop(scene->fixture);
	assert_true(share_has(scene, "restore1/r1"));
	usleep(400000);
	fixture_start(scene->fixture);
	assert_true(is_withdrawn(scene->fixture));
	assert_false(share_has(scene, "restore1/r1"));
}

static void a_request_that_is_wrong_is_refused_before_it_is_a_leaf(void **state)
{
	static const struct {
		const char *request, *code, *words;
	} cases[] = {
		{"no json", "2", "not JSON"},
		{"{}", "2", "'verb' is missing"},
		{"{\"verb\":\"dance\"}", "2", "no verb 'dance'"},
		{"{\"verb\":\"restore\",\"source\":\"nobody\",\"to\":\"r\"}", "2",
		 "no source 'nobody'"},
		{"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"../r\"}", "2",
		 "export name"},
		{"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r.partial\"}", "2",
		 "ends in .partial"},
		{"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r\",\"until_file\":\"f\","
		 "\"until_position\":\"4\",\"until_usec\":\"5\"}",
		 "2", "not at both"},
		{"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r\",\"until_file\":\"f\"}",
		 "2", "until_position"},
		{"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r\",\"reason\":\"\\u00e4\"}",
		 "2", "printable ASCII"},
		{"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r\",\"form\":\"zip\"}", "2",
		 "'files' or 'tar'"},
		{"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"restore1\"}", "9",
		 "directory of a client"},
		{"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r\",\"client\":\"x\"}", "2",
		 "no section [client x]"},
		{"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r\",\"client\":\"restore1\","
		 "\"keep_usec\":\"3600000001\"}",
		 "2", "for 3600 s at most"},
		{"{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r\",\"keep_usec\":\"1\"}",
		 "2", "for no client has no end"},
		{"{\"verb\":\"withdraw\",\"request\":\"R-X\"}", "8", "share list"},
		{"{\"verb\":\"restore\",\"source\":7,\"to\":\"r\"}", "2", "'source' must be text"},
	};
	struct scene *scene = *state;
	uint64_t size = store_tree(scene->fixture->keeper->store)->size;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_refused(scene, cases[i].request, cases[i].code, cases[i].words);
	assert_int_equal(store_tree(scene->fixture->keeper->store)->size, size);
}

static void a_file_that_is_not_archived_fails_with_what_is(void **state)
{
	struct scene *scene = *state;

	request(scene, "{\"verb\":\"restore\",\"source\":\"orders\",\"to\":\"r1\","
		       "\"from_file\":\"bin.000009\"}");
	assert_ended(scene, "8", "'bin.000009' of source 'orders' is not archived");
	assert_int_equal(share_count(scene), 0);
}

int main(void)
{
#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		SCENE_TEST(a_restore_gets_its_name_when_all_is_signed),
		SCENE_TEST(a_manifest_of_something_else_is_not_signed),
		SCENE_TEST(a_defect_fails_a_restore_and_leaves_nothing),
		SCENE_TEST(an_exporter_that_dies_leaves_nothing),
		SCENE_TEST(a_verification_notes_defects_and_goes_on),
		SCENE_TEST(a_segment_whose_file_is_gone_is_a_defect),
		SCENE_TEST(what_a_crash_left_is_removed_at_the_next_start),
		SCENE_TEST(a_restore_that_was_renamed_gets_its_leaf_at_the_next_start),
		SCENE_TEST(a_tar_becomes_a_file_of_the_share),
		SCENE_TEST(a_tar_that_is_no_file_gets_no_name),
		SCENE_TEST(an_exporter_that_dies_inside_a_tar_leaves_nothing),
		SCENE_TEST(a_tar_that_was_renamed_gets_its_leaf_at_the_next_start),
		SCENE_TEST(what_is_for_a_client_stands_in_its_directory_until_it_is_withdrawn),
		SCENE_TEST(it_is_withdrawn_at_its_end),
		SCENE_TEST(an_end_that_came_while_no_keeper_ran_is_seen_at_the_next_start),
		SCENE_TEST(a_request_that_is_wrong_is_refused_before_it_is_a_leaf),
		SCENE_TEST(a_file_that_is_not_archived_fails_with_what_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
