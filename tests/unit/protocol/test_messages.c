#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/protocol/conversations.h"

/* Two ends, and a descriptor to carry. */
struct pair {
	int ends[2];
	int carried;
};

static struct pair pair_new(void)
{
	struct pair pair;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.ends), 0);
	pair.carried = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(pair.carried >= 0);
	return pair;
}

static void pair_close(const struct pair *pair)
{
	close(pair->ends[0]);
	close(pair->ends[1]);
	close(pair->carried);
}

static struct message *message_new(void)
{
	struct message *message = calloc(1, sizeof(*message));

	assert_non_null(message);
	return message;
}

static void exchange(const struct conversation *c, const void *native, struct message *message)
{
	struct pair pair = pair_new();
	struct error err = {0};

	assert_ok(c->send(pair.ends[0], native, c->fds ? pair.carried : -1, &err), &err);
	assert_int_equal(message_receive(pair.ends[1], message, &err), 1);
	assert_int_equal(message->type, c->type);
	assert_int_equal(message->version, PROTOCOL_VERSION);
	assert_int_equal(message->fd_count, c->fds);
	pair_close(&pair);
}

static void every_message_arrives_as_it_was_sent(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(conversations); i++) {
		const struct conversation *c = &conversations[i];
		unsigned char *sent = calloc(1, sizeof(union native));
		unsigned char *got = calloc(1, sizeof(union native));
		struct message *message = message_new();
		struct error err = {0};

		c->fill(sent);
		exchange(c, sent, message);
		assert_ok(c->decode(message, got, &err), &err);
		for (const struct field *f = c->fields; f->name; f++) {
			if (memcmp(sent + f->offset, got + f->offset, f->size) != 0)
				fail_msg("%s: field %s differs", c->name, f->name);
		}
		message_release(message);
		free(message);
		free(sent);
		free(got);
	}
}

static void every_other_size_is_refused(void **state)
{
	union native *native = calloc(1, sizeof(*native));
	union native *got = calloc(1, sizeof(*got));
	struct message *message = message_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(conversations); i++) {
		const struct conversation *c = &conversations[i];
		size_t size;

		memset(native, 0, sizeof(*native));
		c->fill(native);
		exchange(c, native, message);
		size = message->body_size;
		for (size_t cut = 0; cut <= size + 1; cut++) {
			struct error err = {0};

			if (cut == size)
				continue;
			message->body_size = cut;
			assert_int_equal(c->decode(message, got, &err), ERROR_DEFECT);
			assert_true(strlen(err.message) > 0);
		}
		message->body_size = size;
		message_release(message);
	}
	free(message);
	free(native);
	free(got);
}

static void a_missing_or_superfluous_descriptor_is_refused(void **state)
{
	union native *native = calloc(1, sizeof(*native));
	union native *got = calloc(1, sizeof(*got));
	struct message *message = message_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(conversations); i++) {
		const struct conversation *c = &conversations[i];
		struct error err = {0};
		size_t fd_count;

		memset(native, 0, sizeof(*native));
		c->fill(native);
		exchange(c, native, message);
		fd_count = message->fd_count;
		/* A verification's result has no body; every other descriptor is needed. */
		if (c->type != MESSAGE_EXPORT_RESULT) {
			message->fd_count = fd_count ? 0 : 1;
			message->fds[fd_count] = -1;
			assert_int_equal(c->decode(message, got, &err), ERROR_DEFECT);
		}
		message->fd_count = fd_count;
		message_release(message);
	}
	free(message);
	free(native);
	free(got);
}

static void random_and_changed_bodies_never_do_harm(void **state)
{
	union native *native = calloc(1, sizeof(*native));
	union native *got = calloc(1, sizeof(*got));
	struct message *message = message_new();
	struct message *other = message_new();
	uint64_t seed = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(conversations); i++) {
		const struct conversation *c = &conversations[i];

		memset(native, 0, sizeof(*native));
		c->fill(native);
		exchange(c, native, message);
		for (int round = 0; round < 500; round++) {
			struct error err = {0};
			size_t count = round % 2 ? message->body_size : 1;
			int result;

			memcpy(other, message, sizeof(*other));
			other->body = other->bytes + MESSAGE_HEADER_SIZE;
			for (size_t j = 0; j < count; j++) {
				size_t at;

				seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
				at = round % 2 ? j : (seed >> 20) % message->body_size;
				other->bytes[MESSAGE_HEADER_SIZE + at] = (uint8_t)(seed >> 33);
			}
			result = c->decode(other, got, &err);
			assert_true(result == 0 || result == ERROR_DEFECT);
		}
		message_release(message);
	}
	free(message);
	free(other);
	free(native);
	free(got);
}

/* Fill, change one byte of the body, decode: the code. */
static int decode_changed(const struct conversation *c, void *native, size_t at, uint8_t value,
			  struct error *err)
{
	struct message *message = message_new();
	union native *got = calloc(1, sizeof(*got));
	int result;

	exchange(c, native, message);
	message->bytes[MESSAGE_HEADER_SIZE + at] = value;
	result = c->decode(message, got, err);
	memcpy(native, got, c->native_size);
	message_release(message);
	free(message);
	free(got);
	return result;
}

static const struct conversation *find(enum message_type type)
{
	for (size_t i = 0; i < ARRAY_LENGTH(conversations); i++) {
		if (conversations[i].type == type)
			return &conversations[i];
	}
	fail();
	abort(); /* the compiler does not know that fail() does not return */
}

static void a_choice_out_of_its_range_is_refused(void **state)
{
	union native native = {0};
	struct error err = {0};

	(void)state;
	find(MESSAGE_ATTACH)->fill(&native);
	assert_fails(decode_changed(find(MESSAGE_ATTACH), &native, 0, 2, &err), &err, ERROR_DEFECT,
		     "message ATTACH: field 'holds_segment' is not what it must be");
	memset(&native, 0, sizeof(native));
	find(MESSAGE_ATTACHED)->fill(&native);
	assert_fails(decode_changed(find(MESSAGE_ATTACHED), &native, 0, 4, &err), &err,
		     ERROR_DEFECT, "field 'kind'");
}

static void a_name_that_would_be_a_path_is_refused(void **state)
{
	union native native = {0};
	struct error err = {0};

	(void)state;
	find(MESSAGE_OPEN_SEGMENT)->fill(&native);
	assert_fails(decode_changed(find(MESSAGE_OPEN_SEGMENT), &native, 64 + 32 + 32, '/', &err),
		     &err, ERROR_DEFECT, "message OPEN_SEGMENT: field 'binlog_file'");
}

static void bytes_behind_a_text_are_refused(void **state)
{
	union native native = {0};
	struct error err = {0};

	(void)state;
	find(MESSAGE_HELLO)->fill(&native);
	assert_fails(decode_changed(find(MESSAGE_HELLO), &native, 31, 'x', &err), &err,
		     ERROR_DEFECT, "message HELLO: field 'program'");
}

static void a_sentence_of_the_peer_is_made_printable(void **state)
{
	const struct conversation *c = find(MESSAGE_STATE);
	union native native = {0};
	struct error err = {0};

	(void)state;
	c->fill(&native);
	assert_ok(decode_changed(c, &native, 1 + 8 + 128, '\x1b', &err), &err);
	assert_true(strncmp(native.pull_status.sentence, "?b1 refused", 11) == 0);
}

static void a_resume_without_its_file_is_refused(void **state)
{
	const struct conversation *c = find(MESSAGE_ATTACHED);
	union native native = {0};
	struct message *message = message_new();
	struct error err = {0};

	(void)state;
	native.attached.kind = ATTACHED_START;
	exchange(c, &native, message);
	assert_ok(c->decode(message, &native, &err), &err);
	message_release(message);
	native.attached.kind = ATTACHED_RESUME;
	exchange(c, &native, message);
	assert_fails(c->decode(message, &native, &err), &err, ERROR_DEFECT, "field 'binlog_file'");
	message_release(message);
	free(message);
}

static void the_next_message_closes_what_nobody_took_of_the_last(void **state)
{
	struct pair pair = pair_new();
	struct message *message = message_new();
	struct error err = {0};
	int untaken;

	(void)state;
	assert_ok(message_send(pair.ends[0], MESSAGE_STATE, "x", 1, &pair.carried, 1, &err), &err);
	assert_ok(message_send(pair.ends[0], MESSAGE_STATE, "x", 1, NULL, 0, &err), &err);
	assert_int_equal(message_receive(pair.ends[1], message, &err), 1);
	assert_int_equal(message->fd_count, 1);
	untaken = message->fds[0];
	assert_int_equal(message_receive(pair.ends[1], message, &err), 1);
	assert_int_equal(message->fd_count, 0);
	assert_int_equal(fcntl(untaken, F_GETFD), -1);
	message_release(message);
	free(message);
	pair_close(&pair);
}

static void a_verification_has_no_directory(void **state)
{
	const struct conversation *c = find(MESSAGE_EXPORT_BEGIN);
	struct pair pair = pair_new();
	union native native = {0};
	struct message *message = message_new();
	struct error err = {0};

	(void)state;
	native.begin.kind = EXPORT_VERIFY;
	assert_ok(c->send(pair.ends[0], &native, -1, &err), &err);
	assert_int_equal(message_receive(pair.ends[1], message, &err), 1);
	assert_ok(c->decode(message, &native, &err), &err);
	message_release(message);
	assert_ok(c->send(pair.ends[0], &native, pair.carried, &err), &err);
	assert_int_equal(message_receive(pair.ends[1], message, &err), 1);
	assert_fails(c->decode(message, &native, &err), &err, ERROR_DEFECT, "field 'directory'");
	message_release(message);
	free(message);
	pair_close(&pair);
}

static void an_unstored_state_has_no_tree(void **state)
{
	const struct conversation *c = find(MESSAGE_HSM_SIGNED_STATE);
	union native native = {0};
	struct error err = {0};

	(void)state;
	c->fill(&native);
	assert_fails(decode_changed(c, &native, 0, 0, &err), &err, ERROR_DEFECT, "field 'stored'");
}

static void a_failure_arrives_as_its_own_code_and_sentence(void **state)
{
	struct pair pair = pair_new();
	struct message *message = message_new();
	struct error reason = {0};
	struct error err = {0};
	struct attached attached;

	(void)state;
	error_set(&reason, ERROR_NO_SPACE, "volume '/vol/a' is full\n");
	assert_ok(message_send_failure(pair.ends[0], &reason, &err), &err);
	assert_int_equal(message_receive(pair.ends[1], message, &err), 1);
	assert_fails(attached_decode(message, &attached, &err), &err, ERROR_NO_SPACE,
		     "volume '/vol/a' is full?");
	message->bytes[MESSAGE_HEADER_SIZE] = 1;
	assert_fails(attached_decode(message, &attached, &err), &err, ERROR_DEFECT, "'code'");
	message_release(message);
	free(message);
	pair_close(&pair);
}

static void an_unexpected_type_or_body_is_named(void **state)
{
	struct pair pair = pair_new();
	struct message *message = message_new();
	struct error err = {0};
	struct attached attached;

	(void)state;
	assert_ok(export_finish_send(pair.ends[0], &err), &err);
	assert_int_equal(message_receive(pair.ends[1], message, &err), 1);
	assert_ok(message_expect_empty(message, MESSAGE_EXPORT_FINISH, &err), &err);
	assert_fails(attached_decode(message, &attached, &err), &err, ERROR_DEFECT,
		     "message EXPORT_FINISH where ATTACHED is expected");
	message->body_size = 1;
	assert_fails(message_expect_empty(message, MESSAGE_EXPORT_FINISH, &err), &err, ERROR_DEFECT,
		     "has 1 bytes where it must have 0");
	message->body_size = 0;
	message->version = 9;
	assert_fails(message_expect(message, MESSAGE_EXPORT_FINISH, &err), &err, ERROR_DEFECT,
		     "protocol version 9");
	message_release(message);
	free(message);
	pair_close(&pair);
}

static void another_protocol_version_is_refused_at_hello(void **state)
{
	const struct conversation *c = find(MESSAGE_HELLO);
	union native native = {0};
	struct message *message = message_new();
	struct error err = {0};

	(void)state;
	c->fill(&native);
	exchange(c, &native, message);
	message->version = 2;
	message->body_size -= 1; /* and whatever its HELLO looks like */
	assert_fails(hello_decode(message, &native.hello, &err), &err, ERROR_REFUSED,
		     "the peer speaks protocol version 2");
	message_release(message);
	free(message);
}

static void a_stated_size_that_is_not_the_size_is_refused(void **state)
{
	static const uint8_t lies[][9] = {{1, 0, 1, 0, 2, 0, 0, 0, 9}, {1, 0, 1}};
	static const size_t sizes[] = {9, 3};
	struct message *message = message_new();
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct pair pair = pair_new();

		assert_int_equal(send(pair.ends[0], lies[i], sizes[i], 0), sizes[i]);
		assert_fails(message_receive(pair.ends[1], message, &err), &err, ERROR_DEFECT,
			     "does not have the size that it states");
		pair_close(&pair);
	}
	free(message);
}

static void a_closed_peer_is_no_error(void **state)
{
	struct pair pair = pair_new();
	struct message *message = message_new();
	struct error err = {0};

	(void)state;
	close(pair.ends[0]);
	assert_int_equal(message_receive(pair.ends[1], message, &err), 0);
	message_release(message);
	message_release(message);
	free(message);
	close(pair.ends[1]);
	close(pair.carried);
}

static void release_wipes_the_key_and_closes_what_was_not_taken(void **state)
{
	const struct conversation *c = find(MESSAGE_SEGMENT_OPENED);
	union native native = {0};
	struct message *message = message_new();
	int left, taken;

	(void)state;
	c->fill(&native);
	exchange(c, &native, message);
	left = message->fds[0];
	message_release(message);
	assert_int_equal(fcntl(left, F_GETFD), -1);
	for (size_t i = 0; i < sizeof(native.segment_opened); i++)
		assert_int_equal(message->bytes[MESSAGE_HEADER_SIZE + i], 0);
	exchange(c, &native, message);
	taken = message_take_fd(message, 0);
	message_release(message);
	assert_true(fcntl(taken, F_GETFD) >= 0);
	close(taken);
	free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_arrives_as_it_was_sent),
		cmocka_unit_test(every_other_size_is_refused),
		cmocka_unit_test(a_missing_or_superfluous_descriptor_is_refused),
		cmocka_unit_test(random_and_changed_bodies_never_do_harm),
		cmocka_unit_test(a_choice_out_of_its_range_is_refused),
		cmocka_unit_test(a_name_that_would_be_a_path_is_refused),
		cmocka_unit_test(bytes_behind_a_text_are_refused),
		cmocka_unit_test(a_sentence_of_the_peer_is_made_printable),
		cmocka_unit_test(a_resume_without_its_file_is_refused),
		cmocka_unit_test(the_next_message_closes_what_nobody_took_of_the_last),
		cmocka_unit_test(a_verification_has_no_directory),
		cmocka_unit_test(an_unstored_state_has_no_tree),
		cmocka_unit_test(a_failure_arrives_as_its_own_code_and_sentence),
		cmocka_unit_test(an_unexpected_type_or_body_is_named),
		cmocka_unit_test(another_protocol_version_is_refused_at_hello),
		cmocka_unit_test(a_stated_size_that_is_not_the_size_is_refused),
		cmocka_unit_test(a_closed_peer_is_no_error),
		cmocka_unit_test(release_wipes_the_key_and_closes_what_was_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
