#include "pull/observer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/checked.h"
#include "base/hex.h"
#include "base/units.h"
#include "crypto/random.h"
#include "io/clock.h"
#include "pull/connection.h"
#include "pull/connection_id.h"

#define DAY_USEC (UINT64_C(86400) * USEC_PER_SEC)

/* WAITING ──ask──► ASKED ──the thread has it──► BUSY ──done──► ANSWERED ──take──► WAITING */
enum observer_state { OBSERVER_WAITING, OBSERVER_ASKED, OBSERVER_BUSY, OBSERVER_ANSWERED };

#define OBSERVER_USER_SIZE 512

struct question {
	const struct config_server *server;
	struct identity identity;
	struct binlog_list list;
	char user[OBSERVER_USER_SIZE];
	uint64_t since_usec;
	struct secret password; /* a NUL behind it; nothing while no question was asked */
};

struct observer {
	const struct config_source *source;
	int event_fd;
	pthread_t thread;
	pthread_mutex_t lock; /* of the fields up to the next comment */
	pthread_cond_t changed;
	enum observer_state state;
	bool started, ending, rest;
	bool yielded;
	bool login_open; /* it is under way, or was refused and the caller does not know yet */
	struct question question;      /* the thread's while BUSY */
	struct observer_answer answer; /* the thread's while BUSY */
	int socket_fd;		       /* of its connection, to be cut off at the end; -1 */

	/* The thread's alone. */
	struct connection *connection;
	const struct config_server *server; /* that the connection leads to */
};

/* --- what is asked --------------------------------------------------------------------------- */

static uint64_t number(const char *text)
{
	return text ? strtoull(text, NULL, 10) : 0;
}

static bool is_on(const char *text)
{
	return text && (strcasecmp(text, "ON") == 0 || strcmp(text, "1") == 0);
}

static uint64_t scaled(const char *text, uint64_t unit)
{
	uint64_t value;

	return checked_mul(number(text), unit, &value) ? UINT64_MAX : value;
}

/* One row of SHOW GLOBAL VARIABLES. The two ways in which age is said are one in MariaDB, and the
 * finer one counts wherever both are there. */
static int take_variable(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct observed *observed = context;
	const char *name = columns[0], *value = count > 1 ? columns[1] : NULL;

	(void)err;
	if (!name || !value)
		return 0;
	if (strcasecmp(name, "binlog_expire_logs_seconds") == 0 && number(value) > 0)
		observed->expire_usec = scaled(value, USEC_PER_SEC);
	else if (strcasecmp(name, "expire_logs_days") == 0 && !observed->expire_usec)
		observed->expire_usec = (uint64_t)(strtod(value, NULL) * (double)DAY_USEC);
	else if (strcasecmp(name, "max_binlog_total_size") == 0)
		observed->size_limit = number(value);
	else if (strcasecmp(name, "read_only") == 0)
		observed->read_only = !(strcasecmp(value, "OFF") == 0 || strcmp(value, "0") == 0);
	return 0;
}

/* One row of SHOW GLOBAL STATUS; MySQL says "source" since 8.0.26, MariaDB "master". */
static int take_status(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct observed *observed = context;
	const char *name = columns[0], *value = count > 1 ? columns[1] : NULL, *what;

	(void)err;
	if (!name || !value || strncasecmp(name, "Rpl_semi_sync_", 14) != 0)
		return 0;
	what = strchr(name + 14, '_');
	if (!what)
		return 0;
	if (strcasecmp(what, "_status") == 0)
		observed->semi_sync = is_on(value) ? OBSERVED_SEMI_SYNC_ON : OBSERVED_SEMI_SYNC_OFF;
	else if (strcasecmp(what, "_clients") == 0)
		observed->semi_sync_client_count = number(value);
	else if (strcasecmp(what, "_yes_tx") == 0)
		observed->semi_sync_yes_count = number(value);
	else if (strcasecmp(what, "_no_tx") == 0)
		observed->semi_sync_no_count = number(value);
	return 0;
}

/* Whole or not at all: a set that is cut off would look like a smaller one. */
static int take_gtids(void *context, const char *text, struct error *err)
{
	struct observed *observed = context;
	size_t used = 0;

	(void)err;
	observed->gtids[0] = '\0';
	for (; *text; text++) {
		/* MySQL breaks its lines behind each comma; printable, they are "?". */
		if (*text == '?' || *text == ' ')
			continue;
		if (used == sizeof(observed->gtids) - 1)
			return 0;
		observed->gtids[used++] = *text;
	}
	memset(observed->gtids + used, 0, sizeof(observed->gtids) - used);
	return 0;
}

static int take_time(void *context, const char *text, struct error *err)
{
	struct observed *observed = context;

	(void)err;
	observed->server_usec = number(text);
	return 0;
}

/* Whom did we reach? Behind an address there may be many. */
static int check_identity(struct connection *connection, const struct identity *identity,
			  struct error *err)
{
	char text[64], expected[64];
	bool mysql = identity->flavour == FLAVOUR_MYSQL;
	int r = connection_value(
		connection, mysql ? "SELECT @@global.server_uuid" : "SELECT @@global.server_id",
		text, sizeof(text), err);

	if (r < 0)
		return r;
	if (mysql)
		hex_encode_uuid(identity->uuid, expected);
	else
		snprintf(expected, sizeof(expected), "%u", (unsigned)identity->server_id);
	if (strcasecmp(text, expected) == 0)
		return 0;
	return error_set(err, ERROR_REFUSED,
			 "another server answers there (%s) than the one that streams (%s): do not "
			 "put a proxy before a source",
			 text, expected);
}

static int ask(struct connection *connection, bool mysql, struct observed *observed,
	       struct error *err)
{
	int r = connection_table(connection,
				 "SHOW GLOBAL VARIABLES WHERE Variable_name IN "
				 "('binlog_expire_logs_seconds', 'expire_logs_days', "
				 "'max_binlog_total_size', 'read_only')",
				 take_variable, observed, err);

	if (r == 0)
		r = connection_table(connection, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'",
				     take_status, observed, err);
	if (r == 0)
		r = connection_rows(connection,
				    mysql ? "SELECT @@global.gtid_executed"
					  : "SELECT @@global.gtid_binlog_state",
				    take_gtids, observed, err);
	if (r == 0)
		r = connection_rows(connection,
				    "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED)",
				    take_time, observed, err);
	return r;
}

/* --- the thread ------------------------------------------------------------------------------ */

static void set_socket(struct observer *observer, int fd)
{
	pthread_mutex_lock(&observer->lock);
	observer->socket_fd = fd;
	pthread_mutex_unlock(&observer->lock);
}

static void disconnect(struct observer *observer)
{
	set_socket(observer, -1);
	connection_free(TAKE(observer->connection));
	observer->server = NULL;
}

static void signal_caller(const struct observer *observer)
{
	const uint64_t one = 1;

	/* It can fail only when somebody was told 2^64 times without listening. */
	ASSERT(write(observer->event_fd, &one, sizeof(one)) == sizeof(one));
}

static bool begin_login(struct observer *observer)
{
	bool may;

	pthread_mutex_lock(&observer->lock);
	may = observer->login_open = !observer->yielded;
	pthread_mutex_unlock(&observer->lock);
	return may;
}

static void end_login(struct observer *observer, bool refused)
{
	pthread_mutex_lock(&observer->lock);
	observer->login_open = refused;
	pthread_mutex_unlock(&observer->lock);
	signal_caller(observer);
}

/* Once. 1: it was refused. */
static int log_in(struct observer *observer, const struct question *question, struct error *err)
{
	const struct login login = {
		.user = question->user,
		.password = (const char *)question->password.bytes,
		.since_usec = question->since_usec,
	};
	char id[CONNECTION_ID_SIZE];
	int r;

	connection_id_make(id);
	if (!begin_login(observer))
		return error_set(err, ERROR_UNAVAILABLE,
				 "the stream is connecting anew; what the server keeps is asked "
				 "for again when it stands");
	r = connection_open_as(observer->source, question->server, &login, id,
			       &observer->connection, err);
	end_login(observer, r > 0);
	return r;
}

static int connect_to(struct observer *observer, const struct question *question,
		      enum observer_login *ret_login, struct error *err)
{
	int r;

	if (observer->connection && observer->server == question->server) {
		connection_renew(observer->connection);
		r = check_identity(observer->connection, &question->identity, err);
		if (r != ERROR_UNAVAILABLE)
			return r;
	}
	/* It may have ended in the meantime, for its server or for something between. */
	disconnect(observer);
	r = log_in(observer, question, err);
	if (r > 0)
		*ret_login = OBSERVER_LOGIN_REFUSED;
	if (r != 0)
		return err->code;
	*ret_login = OBSERVER_LOGIN_ACCEPTED;
	observer->server = question->server;
	set_socket(observer, connection_fd(observer->connection));
	return check_identity(observer->connection, &question->identity, err);
}

static int look(struct observer *observer, struct question *question,
		struct observer_answer *answer, struct error *err)
{
	uint64_t asked_usec;
	int r = connect_to(observer, question, &answer->login, err);

	if (r == 0)
		r = ask(observer->connection, question->identity.flavour == FLAVOUR_MYSQL,
			&answer->observed, err);
	asked_usec = clock_realtime_usec();
	if (r == 0 && !binlog_list_is_current(&question->list, question->server))
		r = binlog_list_read(&question->list, observer->connection, question->server, err);
	if (r < 0)
		return r;
	answer->list = question->list;
	memset(&question->list, 0, sizeof(question->list));
	answer->observed.observed_usec = answer->list.listed_usec;
	/* The clock was asked for now, and the list may be older: both are of the same moment. */
	if (asked_usec > answer->list.listed_usec)
		answer->observed.server_usec -=
			MIN(asked_usec - answer->list.listed_usec, answer->observed.server_usec);
	answer->observed.file_count = answer->list.count;
	return 0;
}

static void find_answer(struct observer *observer)
{
	struct question *question = &observer->question;
	struct observer_answer *answer = &observer->answer;
	struct error err = {0};
	int r;

	memset(answer, 0, sizeof(*answer));
	r = look(observer, question, answer, &err);
	if (r < 0) {
		disconnect(observer);
		memset(&answer->observed, 0, sizeof(answer->observed));
		answer->observed.observed_usec = clock_realtime_usec();
		snprintf(answer->observed.sentence, sizeof(answer->observed.sentence), "%.*s",
			 (int)sizeof(answer->observed.sentence) - 1, err.message);
	}
	answer->code = r;
	snprintf(answer->observed.server, sizeof(answer->observed.server), "%.110s:%u",
		 question->server->host, (unsigned)question->server->port);
}

static void *observe(void *context)
{
	struct observer *observer = context;

	pthread_mutex_lock(&observer->lock);
	observer->started = true;
	pthread_cond_broadcast(&observer->changed);
	while (!observer->ending) {
		if (observer->state == OBSERVER_ASKED) {
			observer->state = OBSERVER_BUSY;
			pthread_mutex_unlock(&observer->lock);
			find_answer(observer);
			pthread_mutex_lock(&observer->lock);
			observer->state = OBSERVER_ANSWERED;
			signal_caller(observer);
		} else if (observer->rest) {
			observer->rest = false;
			pthread_mutex_unlock(&observer->lock);
			disconnect(observer);
			pthread_mutex_lock(&observer->lock);
		} else {
			pthread_cond_wait(&observer->changed, &observer->lock);
		}
	}
	pthread_mutex_unlock(&observer->lock);
	disconnect(observer);
	return NULL;
}

/* --- the caller's side ----------------------------------------------------------------------- */

/* Signals are the main thread's business. */
static int start_thread(struct observer *observer)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&observer->thread, NULL, observe, observer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int observer_new(const struct config_source *source, struct observer **ret_observer,
		 struct error *err)
{
	struct observer *observer = calloc(1, sizeof(*observer));
	int r = 0;

	ASSERT(observer);
	observer->source = source;
	observer->socket_fd = -1;
	pthread_mutex_init(&observer->lock, NULL);
	pthread_cond_init(&observer->changed, NULL);
	observer->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (observer->event_fd < 0)
		r = errno;
	if (r == 0)
		r = start_thread(observer);
	if (r != 0) {
		if (observer->event_fd >= 0)
			close(observer->event_fd);
		free(observer);
		return error_set_errno(err, ERROR_FAILED, r, "starting a thread");
	}
	pthread_mutex_lock(&observer->lock);
	while (!observer->started)
		pthread_cond_wait(&observer->changed, &observer->lock);
	pthread_mutex_unlock(&observer->lock);
	*ret_observer = observer;
	return 0;
}

void observer_free(struct observer *observer)
{
	if (!observer)
		return;
	pthread_mutex_lock(&observer->lock);
	observer->ending = true;
	if (observer->socket_fd >= 0)
		(void)shutdown(observer->socket_fd, SHUT_RDWR);
	pthread_cond_broadcast(&observer->changed);
	pthread_mutex_unlock(&observer->lock);
	pthread_join(observer->thread, NULL);
	binlog_list_release(&observer->question.list);
	binlog_list_release(&observer->answer.list);
	secret_release(&observer->question.password);
	pthread_cond_destroy(&observer->changed);
	pthread_mutex_destroy(&observer->lock);
	close(observer->event_fd);
	free(observer);
}

int observer_fd(const struct observer *observer)
{
	return observer->event_fd;
}

static enum observer_state state_of(struct observer *observer)
{
	enum observer_state state;

	pthread_mutex_lock(&observer->lock);
	state = observer->state;
	pthread_mutex_unlock(&observer->lock);
	return state;
}

bool observer_is_idle(struct observer *observer)
{
	return state_of(observer) == OBSERVER_WAITING;
}

/* 0, or negative if the password cannot be held. */
static int take_login(struct question *question, const struct config_server *server,
		      const struct login *login, struct error *err)
{
	size_t size = strlen(login->password) + 1;
	int r;

	question->since_usec = login->since_usec;
	if (question->server == server && strcmp(question->user, login->user) == 0 &&
	    question->password.size == size &&
	    memcmp(question->password.bytes, login->password, size) == 0)
		return 0;
	secret_release(&question->password);
	question->password = (struct secret){0};
	r = secret_init(&question->password, size, err);
	if (r < 0)
		return r;
	memcpy(question->password.bytes, login->password, size);
	snprintf(question->user, sizeof(question->user), "%s", login->user);
	return 0;
}

int observer_ask(struct observer *observer, const struct config_server *server,
		 const struct identity *identity, const struct login *login,
		 const struct binlog_list *list, struct error *err)
{
	int r;

	pthread_mutex_lock(&observer->lock);
	ASSERT(observer->state == OBSERVER_WAITING);
	r = take_login(&observer->question, server, login, err);
	if (r == 0) {
		observer->question.server = server;
		observer->question.identity = *identity;
		if (list)
			binlog_list_copy(&observer->question.list, list);
		else
			binlog_list_release(&observer->question.list);
		observer->yielded = false;
		observer->state = OBSERVER_ASKED;
		pthread_cond_broadcast(&observer->changed);
	}
	pthread_mutex_unlock(&observer->lock);
	return r;
}

bool observer_yield(struct observer *observer)
{
	bool yielded;

	pthread_mutex_lock(&observer->lock);
	yielded = observer->yielded = !observer->login_open;
	pthread_mutex_unlock(&observer->lock);
	return yielded;
}

void observer_rest(struct observer *observer)
{
	pthread_mutex_lock(&observer->lock);
	observer->rest = true;
	pthread_cond_broadcast(&observer->changed);
	pthread_mutex_unlock(&observer->lock);
}

bool observer_take(struct observer *observer, struct observer_answer *ret_answer)
{
	uint64_t count;

	/* Before the state is looked at: what is told after that is heard the next time. */
	(void)!read(observer->event_fd, &count, sizeof(count));
	if (state_of(observer) != OBSERVER_ANSWERED)
		return false;
	/* The thread leaves an answer alone until it is asked again. */
	*ret_answer = observer->answer;
	memset(&observer->answer, 0, sizeof(observer->answer));
	pthread_mutex_lock(&observer->lock);
	observer->login_open = false;
	observer->state = OBSERVER_WAITING;
	pthread_mutex_unlock(&observer->lock);
	return true;
}
