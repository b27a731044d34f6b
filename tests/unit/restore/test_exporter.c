#include <pthread.h>
#include <sys/socket.h>

#include "unit/restore/restore_fixture.h"

#include "base/json.h"
#include "protocol/manifest.h"
#include "restore/exporter.h"

#define NAME	  "mariadb-bin.000001"
#define NEXT_NAME "mariadb-bin.000002"

/* The exporter in a thread, and the keeper that the test plays. */
struct scene {
	struct place place;
	struct binlog binlog;
	pthread_t thread;
	int fd;	      /* the keeper's end */
	int other_fd; /* the exporter's */
	int result;
	struct error err; /* of the exporter */
	struct message message;
};

static void *serve(void *context)
{
	const struct hello hello = {.program = "binvault-export", .version = "test"};
	struct scene *scene = context;

	scene->result = exporter_run(scene->other_fd, &hello, &scene->err);
	close(scene->other_fd);
	return NULL;
}

static struct scene *scene_new(void)
{
	const struct hello hello = {.program = "binvault-keeper", .version = "test"};
	struct scene *scene = calloc(1, sizeof(*scene));
	struct error err = {0};
	int fds[2];

	assert_non_null(scene);
	place_init(&scene->place);
	binlog_load(&scene->binlog, GOLDEN);
	/* Non-blocking at the exporter's end, as what the supervisor accepts. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	scene->fd = fds[0];
	scene->other_fd = fds[1];
	assert_int_equal(pthread_create(&scene->thread, NULL, serve, scene), 0);
	assert_ok(hello_send(scene->fd, &hello, &err), &err);
	return scene;
}

/* Close our end if it is open, and wait for the exporter's. */
static int scene_end(struct scene *scene, struct error *err)
{
	int result;

	message_release(&scene->message);
	close_fdp(&scene->fd);
	pthread_join(scene->thread, NULL);
	place_release(&scene->place);
	*err = scene->err;
	result = scene->result;
	free(scene);
	return result;
}

/* The next message that is no progress. */
static void receive(struct scene *scene)
{
	struct error err = {0};

	do {
		int r;

		message_release(&scene->message);
		r = message_receive(scene->fd, &scene->message, &err);
		assert_ok(r, &err);
		assert_int_equal(r, 1);
	} while (scene->message.type == MESSAGE_EXPORT_PROGRESS);
}

static struct export_begin begin_of(enum export_kind kind)
{
	return (struct export_begin){
		.kind = kind,
		.segment_count = 2,
		.byte_count = 1000,
		.source = "orders",
		.request = "R-ABCDEF",
		.archive = "6f1c2a7e-0000-4000-8000-000000000000",
		.worm = "advisory",
	};
}

static void send_begin(struct scene *scene, const struct export_begin *begin)
{
	struct error err = {0};

	receive(scene);
	assert_int_equal(scene->message.type, MESSAGE_HELLO);
	assert_ok(export_begin_send(scene->fd, begin,
				    begin->kind == EXPORT_RESTORE ? scene->place.fd : -1, &err),
		  &err);
}

static void send_sealed(struct scene *scene, const struct sealed *sealed)
{
	int fd = bytes_fd(sealed->bytes, sealed->size);
	struct error err = {0};

	assert_ok(export_segment_send(scene->fd, &sealed->leaf, fd, &err), &err);
	close(fd);
}

static struct export_segment_done receive_done(struct scene *scene)
{
	struct export_segment_done done;
	struct error err = {0};

	receive(scene);
	assert_ok(message_expect(&scene->message, MESSAGE_EXPORT_SEGMENT_DONE, &err), &err);
	assert_ok(export_segment_done_decode(&scene->message, &done, &err), &err);
	return done;
}

static struct export_result finish(struct scene *scene)
{
	struct export_result result;
	struct error err = {0};

	assert_ok(export_finish_send(scene->fd, &err), &err);
	receive(scene);
	assert_ok(message_expect(&scene->message, MESSAGE_EXPORT_RESULT, &err), &err);
	assert_ok(export_result_decode(&scene->message, &result, &err), &err);
	return result;
}

static void check_body(struct scene *scene, const struct export_result *result)
{
	int fd = message_take_fd(&scene->message, 0);
	json_t *body = NULL;
	const void *bytes;
	const char *text;
	struct error err = {0};
	struct hash hash;
	size_t size;

	assert_ok(channel_body_map(fd, MANIFEST_BODY_SIZE_MAX, &bytes, &size, &err), &err);
	close(fd);
	hash_bytes(bytes, size, &hash);
	assert_memory_equal(hash.bytes, result->body_hash.bytes, HASH_SIZE);
	assert_file(&scene->place, MANIFEST_BODY_FILE, bytes, size);
	assert_ok(json_parse_canonical(bytes, size, &body, &err), &err);
	assert_ok(json_get_string(body, "request", &text, &err), &err);
	assert_string_equal(text, "R-ABCDEF");
	assert_int_equal(json_array_size(json_object_get(body, "files")), result->file_count);
	json_decref(body);
	munmap((void *)(uintptr_t)bytes, size);
}

static void a_restore_goes_from_hello_to_committed(void **state)
{
	struct scene *scene = scene_new();
	const struct export_begin begin = begin_of(EXPORT_RESTORE);
	const struct sealed_options options[] = {{NAME, 0, 40, 3, false, 1},
						 {NAME, 40, scene->binlog.count, 0, true, 1},
						 {NEXT_NAME, 0, scene->binlog.count, 1, true, 2}};
	struct export_manifest manifest = {.signature_size = 3, .signature = "sig"};
	struct export_result result;
	struct error err = {0};
	uint8_t *sums;
	size_t size;

	(void)state;
	send_begin(scene, &begin);
	for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
		struct sealed sealed = sealed_new(&scene->binlog, &options[i]);
		struct export_segment_done done;

		send_sealed(scene, &sealed);
		done = receive_done(scene);
		assert_int_equal(done.code, 0);
		assert_int_equal(done.good_end, sealed.leaf.good_end);
		sealed_release(&sealed);
	}
	result = finish(scene);
	assert_int_equal(result.file_count, 2);
	assert_int_equal(result.byte_count, 2 * scene->binlog.file.size);
	assert_string_equal(result.until_file, NEXT_NAME);
	assert_int_equal(result.until_position, scene->binlog.file.size);
	assert_file(&scene->place, NAME, scene->binlog.file.bytes, scene->binlog.file.size);
	assert_file(&scene->place, NEXT_NAME, scene->binlog.file.bytes, scene->binlog.file.size);
	check_body(scene, &result);
	sums = place_read(&scene->place, MANIFEST_SUMS_FILE, &size);
	assert_int_equal(size, 2 * (64 + 2 + strlen(NAME) + 1));
	assert_memory_equal(sums + 64, "  " NAME "\n", strlen(NAME) + 3);
	free(sums);
	assert_ok(export_manifest_send(scene->fd, &manifest, &err), &err);
	receive(scene);
	assert_ok(message_expect_empty(&scene->message, MESSAGE_EXPORT_COMMITTED, &err), &err);
	assert_file(&scene->place, MANIFEST_SIGNATURE_FILE, (const uint8_t *)"sig", 3);
	assert_ok(scene_end(scene, &err), &err);
}

static void a_defect_ends_a_restore_with_its_sentence(void **state)
{
	struct scene *scene = scene_new();
	const struct export_begin begin = begin_of(EXPORT_RESTORE);
	const struct sealed_options options = {NAME, 0, scene->binlog.count, 0, true, 1};
	struct sealed sealed = sealed_new(&scene->binlog, &options);
	struct error err = {0};

	(void)state;
	sealed.bytes[5000] ^= 1;
	send_begin(scene, &begin);
	send_sealed(scene, &sealed);
	receive(scene);
	assert_fails(message_expect(&scene->message, MESSAGE_EXPORT_SEGMENT_DONE, &err), &err,
		     ERROR_DEFECT, "frame at offset 4096");
	sealed_release(&sealed);
	assert_fails(scene_end(scene, &err), &err, ERROR_DEFECT, "frame at offset 4096");
}

static void a_verification_reports_every_defect_and_goes_on(void **state)
{
	struct scene *scene = scene_new();
	const struct export_begin begin = begin_of(EXPORT_VERIFY);
	const struct sealed_options options = {NAME, 0, scene->binlog.count, 0, true, 1};
	struct sealed sealed = sealed_new(&scene->binlog, &options);
	struct export_result result;
	struct error err = {0};

	(void)state;
	send_begin(scene, &begin);
	for (int i = 0; i < 6; i++) {
		struct export_segment_done done;

		sealed.bytes[5000] ^= (uint8_t)(i > 0); /* every other one is wrong */
		send_sealed(scene, &sealed);
		done = receive_done(scene);
		if (i % 2 == 0) {
			assert_int_equal(done.code, 0);
		} else {
			assert_int_equal(done.code, ERROR_DEFECT);
			assert_non_null(strstr(done.sentence, "padding is not zero"));
		}
	}
	result = finish(scene);
	assert_int_equal(scene->message.fd_count, 0);
	assert_true(result.byte_count >= 3 * (scene->binlog.file.size - 4));
	sealed_release(&sealed);
	assert_ok(scene_end(scene, &err), &err);
}

static void a_limit_that_was_reached_wants_no_more(void **state)
{
	struct scene *scene = scene_new();
	struct export_begin begin = begin_of(EXPORT_RESTORE);
	const struct sealed_options a = {NAME, 0, 40, 0, false, 1};
	const struct sealed_options b = {NAME, 40, scene->binlog.count, 0, true, 1};
	struct sealed first = sealed_new(&scene->binlog, &a);
	struct sealed second = sealed_new(&scene->binlog, &b);
	struct export_result result;
	struct error err = {0};

	(void)state;
	begin.limit = EXPORT_LIMIT_POSITION;
	memcpy(begin.limit_file, NAME, sizeof(NAME));
	begin.limit_position = scene->binlog.starts[7]; /* in front of a GTID */
	send_begin(scene, &begin);
	send_sealed(scene, &first);
	assert_int_equal(receive_done(scene).limit_reached, 1);
	result = finish(scene);
	assert_int_equal(result.until_position, scene->binlog.starts[7]);
	assert_int_equal(result.until_usec, UINT64_C(1795325841000000));
	assert_file(&scene->place, NAME, scene->binlog.file.bytes, scene->binlog.starts[7]);
	/* … and is a mistake of the keeper's. */
	send_sealed(scene, &second);
	sealed_release(&first);
	sealed_release(&second);
	assert_fails(scene_end(scene, &err), &err, ERROR_DEFECT, "EXPORT_MANIFEST");
}

static void an_end_inside_a_file_is_refused(void **state)
{
	struct scene *scene = scene_new();
	const struct export_begin begin = begin_of(EXPORT_RESTORE);
	const struct sealed_options options = {NAME, 0, 40, 0, false, 1};
	struct sealed sealed = sealed_new(&scene->binlog, &options);
	struct error err = {0};

	(void)state;
	send_begin(scene, &begin);
	send_sealed(scene, &sealed);
	receive_done(scene);
	assert_ok(export_finish_send(scene->fd, &err), &err);
	receive(scene);
	assert_fails(message_expect(&scene->message, MESSAGE_EXPORT_RESULT, &err), &err,
		     ERROR_DEFECT, "inside a binlog file");
	sealed_release(&sealed);
	assert_fails(scene_end(scene, &err), &err, ERROR_DEFECT, "inside a binlog file");
}

static void a_keeper_that_goes_away_ends_the_export(void **state)
{
	struct scene *scene = scene_new();
	const struct export_begin begin = begin_of(EXPORT_RESTORE);
	struct error err = {0};

	(void)state;
	send_begin(scene, &begin);
	assert_fails(scene_end(scene, &err), &err, ERROR_CLOSED, "the keeper has closed");
}

static void a_message_out_of_turn_is_refused(void **state)
{
	struct scene *scene = scene_new();
	struct error err = {0};

	(void)state;
	receive(scene);
	assert_ok(export_finish_send(scene->fd, &err), &err);
	receive(scene);
	assert_fails(message_expect(&scene->message, MESSAGE_EXPORT_RESULT, &err), &err,
		     ERROR_DEFECT, "EXPORT_BEGIN");
	assert_fails(scene_end(scene, &err), &err, ERROR_DEFECT, "EXPORT_BEGIN");
}

/* What `tar` makes of an entry, equal to @bytes. */
static void assert_in_tar(const struct scene *scene, const char *name, const uint8_t *bytes,
			  size_t size)
{
	char command[256];
	uint8_t *content = malloc(size + 1);
	FILE *pipe;

	snprintf(command, sizeof(command), "tar -xOf %s/" MANIFEST_TAR_FILE " r1/%s",
		 scene->place.path, name);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(fread(content, 1, size + 1, pipe), size);
	assert_int_equal(pclose(pipe), 0);
	assert_memory_equal(content, bytes, size);
	free(content);
}

static void a_tar_holds_what_the_directory_would(void **state)
{
	struct scene *scene = scene_new();
	struct export_begin begin = begin_of(EXPORT_RESTORE);
	const struct sealed_options options[] = {{NAME, 0, scene->binlog.count, 3, true, 1},
						 {NEXT_NAME, 0, 40, 1, false, 2}};
	struct export_manifest manifest = {.signature_size = 3, .signature = "sig"};
	struct export_result result;
	struct error err = {0};
	const void *body;
	size_t size, cut = scene->binlog.starts[7];
	int fd;

	(void)state;
	begin.form = EXPORT_TAR;
	memcpy(begin.to, "r1", 3);
	begin.limit = EXPORT_LIMIT_POSITION;
	memcpy(begin.limit_file, NEXT_NAME, sizeof(NEXT_NAME));
	begin.limit_position = cut;
	send_begin(scene, &begin);
	for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
		struct sealed sealed = sealed_new(&scene->binlog, &options[i]);

		sealed.leaf.limited = i == 1;
		send_sealed(scene, &sealed);
		assert_int_equal(receive_done(scene).code, 0);
		sealed_release(&sealed);
	}
	result = finish(scene);
	assert_int_equal(result.file_count, 2);
	assert_int_equal(result.byte_count, scene->binlog.file.size + cut);
	fd = message_take_fd(&scene->message, 0);
	assert_ok(channel_body_map(fd, MANIFEST_BODY_SIZE_MAX, &body, &size, &err), &err);
	close(fd);
	assert_ok(output_small(scene->place.fd, MANIFEST_KEY_FILE, "pem", 3, &err), &err);
	assert_ok(export_manifest_send(scene->fd, &manifest, &err), &err);
	receive(scene);
	assert_ok(message_expect_empty(&scene->message, MESSAGE_EXPORT_COMMITTED, &err), &err);
	assert_in_tar(scene, NAME, scene->binlog.file.bytes, scene->binlog.file.size);
	assert_in_tar(scene, NEXT_NAME, scene->binlog.file.bytes, cut);
	assert_in_tar(scene, MANIFEST_BODY_FILE, body, size);
	assert_in_tar(scene, MANIFEST_KEY_FILE, (const uint8_t *)"pem", 3);
	assert_in_tar(scene, MANIFEST_SIGNATURE_FILE, (const uint8_t *)"sig", 3);
	munmap((void *)(uintptr_t)body, size);
	/* Nothing stands beside it. */
	assert_int_equal(place_empty(&scene->place), 1);
	assert_ok(scene_end(scene, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restore_goes_from_hello_to_committed),
		cmocka_unit_test(a_tar_holds_what_the_directory_would),
		cmocka_unit_test(a_defect_ends_a_restore_with_its_sentence),
		cmocka_unit_test(a_verification_reports_every_defect_and_goes_on),
		cmocka_unit_test(a_limit_that_was_reached_wants_no_more),
		cmocka_unit_test(an_end_inside_a_file_is_refused),
		cmocka_unit_test(a_keeper_that_goes_away_ends_the_export),
		cmocka_unit_test(a_message_out_of_turn_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
