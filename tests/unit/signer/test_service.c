#include "unit/cmocka_prelude.h"

#include "io/channel.h"
#include "unit/signer/signer_fixture.h"

/* Another user, for whom the door is closed. */
#define STRANGER 65534

/* --- one connection -------------------------------------------------------------------------- */

static void what_is_no_request_ends_the_connection(void **state)
{
	struct lab *lab = *state;
	struct hsm_unwrapped answer = {{0}};
	struct error err;

	assert_starts(lab, false);
	assert_ok(hsm_unwrapped_send(lab->fd, &answer, &err), &err);
	assert_int_equal(message_receive(lab->fd, &lab->message, &err), 0);
	assert_ends(lab, 0, "");
}

static void a_request_before_hello_ends_the_connection(void **state)
{
	struct lab *lab = *state;
	struct hsm_signed_state last;
	struct error err;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	lab->pid = fork();
	if (lab->pid == 0) {
		close(pair[0]);
		lab_child(lab, false, pair[1]);
	}
	close(pair[1]);
	lab->fd = pair[0];
	assert_fails(lab_last_signed(lab, &last, &err), &err, ERROR_CLOSED, "");
	assert_ends(lab, 0, "");
}

static void a_malformed_request_is_answered_with_a_failure(void **state)
{
	struct lab *lab = *state;
	struct error err;

	assert_starts(lab, false);
	for (int type = MESSAGE_HSM_PROVISION; type <= MESSAGE_HSM_SIGN_MANIFEST; type++) {
		if (type == MESSAGE_HSM_UNWRAPPED || type == MESSAGE_HSM_SIGNED_STATE)
			continue;
		assert_ok(message_send(lab->fd, (enum message_type)type, "xyz", 3, NULL, 0, &err),
			  &err);
		assert_int_equal(message_receive(lab->fd, &lab->message, &err), 1);
		assert_fails(message_expect(&lab->message, MESSAGE_HSM_KEYS, &err), &err,
			     ERROR_DEFECT, "");
	}
}

/* --- a socket -------------------------------------------------------------------------------- */

struct open_service {
	pid_t pid;
	char socket[128];
	int stop;
};

static void serve(struct lab *lab, struct open_service *open_service)
{
	struct error err = {0};
	int stop[2], ready[2];
	char byte;

	fixture_path(lab->fixture, "socket", open_service->socket, sizeof(open_service->socket));
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(pipe(ready), 0);
	open_service->pid = fork();
	if (open_service->pid == 0) {
		struct service_options options = {
			.connection = -1, .stop_fd = stop[0], .keeper_uid = (uid_t)-1};
		struct signer *signer = NULL;
		int r = signer_open(&lab->config, false, &signer, &err);

		log_init("hsm", LOG_LEVEL_ERROR);
		options.signer = signer;
		options.listen_fd =
			channel_listen(open_service->socket, 0666, (uid_t)-1, (gid_t)-1, &err);
		if (r == 0 && options.listen_fd >= 0 && write(ready[1], "r", 1) == 1)
			r = service_run(&options, &err);
		signer_free(signer);
		_exit(error_exit_status(r));
	}
	close(stop[0]);
	close(ready[1]);
	open_service->stop = stop[1];
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static int end(const struct open_service *open_service)
{
	int status;

	assert_int_equal(write(open_service->stop, "s", 1), 1);
	close(open_service->stop);
	assert_int_equal(waitpid(open_service->pid, &status, 0), open_service->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool greets(struct lab *lab, int fd)
{
	struct hello hello = {.program = "test", .version = "0"};
	struct error err;

	return hello_send(fd, &hello, &err) == 0 && message_receive(fd, &lab->message, &err) == 1 &&
	       hello_decode(&lab->message, &hello, &err) == 0 &&
	       strcmp(hello.program, "binvault-hsm") == 0;
}

static void several_connections_are_served_and_the_ninth_is_not(void **state)
{
	struct lab *lab = *state;
	struct open_service open_service;
	struct hsm_signed_state last;
	struct error err;
	int fds[9];

	serve(lab, &open_service);
	for (int i = 0; i < 9; i++) {
		fds[i] = channel_connect(open_service.socket, &err);
		assert_ok(fds[i], &err);
		assert_int_equal(greets(lab, fds[i]), i < 8);
	}
	/* One ends: there is room again, and the others have not noticed. */
	close(fds[8]);
	close(fds[3]);
	lab->fd = fds[5];
	assert_ok(lab_last_signed(lab, &last, &err), &err);
	fds[3] = channel_connect(open_service.socket, &err);
	assert_ok(fds[3], &err);
	assert_true(greets(lab, fds[3]));
	lab->fd = -1;
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	assert_int_equal(end(&open_service), 0);
}

static void a_stranger_may_not_connect(void **state)
{
	struct lab *lab = *state;
	struct open_service open_service;
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		printf("SKIPPED: only root can become another user\n");
		return;
	}
	assert_int_equal(chmod(lab->fixture->directory, 0755), 0);
	serve(lab, &open_service);
	pid = fork();
	if (pid == 0) {
		struct error err;
		int fd;

		if (setresuid(STRANGER, STRANGER, STRANGER) < 0)
			_exit(3);
		fd = channel_connect(open_service.socket, &err);
		_exit(fd < 0 ? 2 : greets(lab, fd));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(end(&open_service), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_request_ends_the_connection),
		TEST(a_request_before_hello_ends_the_connection),
		TEST(a_malformed_request_is_answered_with_a_failure),
		TEST(several_connections_are_served_and_the_ninth_is_not),
		TEST(a_stranger_may_not_connect),
	};

	if (fixture_missing())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
