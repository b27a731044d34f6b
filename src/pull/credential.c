#include "pull/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/retry.h"
#include "base/units.h"
#include "config/place.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "io/clock.h"
#include "pull/credential_answer.h"
#include "pull/credential_gate.h"
#include "pull/credential_runner.h"

#define COMMAND_PREFIX "command:"

/* What a command gave without an expiry is good for the logins of so long. */
#define FRESH_USEC (60 * USEC_PER_SEC)

/* Of the time that a credential lives, it is renewed within this part: from, and at random up to.
 * Without chance all sources of a vault would ask their secret manager at once. */
#define RENEW_PERCENT	    60
#define RENEW_PERCENT_MORE  20
#define SHORTEST_USEC	    USEC_PER_SEC /* between two runs, whatever expiry it says */
#define REFUSED_FIRST_USEC  (30 * USEC_PER_SEC)
#define REFUSED_LAST_USEC   (3600 * USEC_PER_SEC)
#define RUNNER_TIMEOUT_USEC (CREDENTIAL_COMMAND_USEC + 10 * USEC_PER_SEC)
#define CERTIFICATE_MAX	    65536

struct version {
	struct secret page; /* a struct credential_answer; no bytes: there is no such version */
	struct hash secret_id;
	uint64_t since_usec; /* as in a login */
	bool worked;	     /* at some server */
};

enum { CURRENT, PREVIOUS, VERSIONS };

struct credential {
	const struct config_source *source;
	uint8_t salt[HASH_SIZE]; /* so that a hash in memory tells nothing elsewhere */
	struct version versions[VERSIONS];
	struct credential_gate gates[CONFIG_SERVERS_MAX];

	/* Of a command. Times are monotonic. */
	int runner_fd;
	bool asked;
	uint64_t asked_usec;
	uint64_t fresh_usec; /* until when the current version needs no other */
	bool expires;	     /* and is then asked for without a login that wants it */
	bool login_refused;  /* the current version's; ask for another */
	unsigned refused_count;
	uint64_t next_run_usec; /* not before */
	struct retry retry;
	struct error failure; /* of the last run */
};

static struct credential_answer *content(const struct version *version)
{
	return (struct credential_answer *)(void *)version->page.bytes;
}

const char *credential_command_path(const struct config_source *source)
{
	if (strncmp(source->credential, COMMAND_PREFIX, strlen(COMMAND_PREFIX)) != 0)
		return NULL;
	return source->credential + strlen(COMMAND_PREFIX);
}

struct credential *credential_new(const struct config_source *source, int runner_fd)
{
	struct credential *credential = calloc(1, sizeof(*credential));

	ASSERT(credential);
	ASSERT(!credential_command_path(source) || runner_fd >= 0);
	credential->source = source;
	credential->runner_fd = runner_fd;
	random_secret_bytes(credential->salt, sizeof(credential->salt));
	return credential;
}

void credential_free(struct credential *credential)
{
	if (!credential)
		return;
	for (size_t i = 0; i < VERSIONS; i++)
		secret_release(&credential->versions[i].page);
	close_fdp(&credential->runner_fd);
	secret_wipe(credential->salt, sizeof(credential->salt));
	free(credential);
}

/* --- files ----------------------------------------------------------------------------------- */

/* ERROR_NOT_FOUND: it is not there or empty, as in the middle of being replaced. */
static int read_password(const char *path, char *password, size_t size, uint64_t *ret_since_usec,
			 struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;
	ssize_t length;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set_errno(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_USAGE, errno,
				       "opening the credential '%s'", path);
	if (place_check_secret("the credential", path, &status, err) < 0)
		return err->code;
	length = read(fd, password, size);
	if (length < 0)
		return error_set_errno(err, ERROR_USAGE, errno, "reading the credential '%s'",
				       path);
	if ((size_t)length == size)
		return error_set(err, ERROR_USAGE,
				 "the credential '%s' is longer than %d bytes: its first line must "
				 "be the password",
				 path, CREDENTIAL_PASSWORD_MAX);
	password[length] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	if (password[0] == '\0')
		return error_set(err, ERROR_NOT_FOUND,
				 "the credential '%s' is empty; for an account without a password "
				 "write `credential = none`",
				 path);
	*ret_since_usec = (uint64_t)status.st_mtim.tv_sec * USEC_PER_SEC;
	return 0;
}

/* --- versions -------------------------------------------------------------------------------- */

static void hash_secret(const struct credential *credential, const struct credential_answer *answer,
			struct hash *ret_hash)
{
	CLEANUP(hasher_freep)
	struct hasher *hasher = hasher_new();

	hasher_start(hasher);
	hasher_update(hasher, credential->salt, sizeof(credential->salt));
	hasher_update(hasher, answer->user, strlen(answer->user) + 1);
	hasher_update(hasher, answer->password, strlen(answer->password) + 1);
	hasher_finish(hasher, ret_hash);
}

/* A server judges our certificate too, and says the same of it: 1045. What cannot be read does not
 * count here; connecting says so. */
static void hash_certificate(const struct credential *credential, struct hasher *hasher)
{
	const char *place = credential->source->tls_certificate;
	CLEANUP(freep)
	uint8_t *bytes = malloc(CERTIFICATE_MAX);
	CLEANUP(close_fdp)
	int fd = -1;
	struct error ignored;
	char path[PATH_MAX];
	ssize_t size;

	ASSERT(bytes);
	if (!place || place_path(place, path, &ignored) < 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size = fd < 0 ? -1 : read(fd, bytes, CERTIFICATE_MAX);
	if (size > 0)
		hasher_update(hasher, bytes, (size_t)size);
}

/* What a server is asked to judge. */
static void judge_id(const struct credential *credential, const struct version *version,
		     struct hash *ret_hash)
{
	CLEANUP(hasher_freep)
	struct hasher *hasher = hasher_new();

	hasher_start(hasher);
	hasher_update(hasher, version->secret_id.bytes, HASH_SIZE);
	hash_certificate(credential, hasher);
	hasher_finish(hasher, ret_hash);
}

static bool held(const struct credential *credential, size_t version)
{
	return credential->versions[version].page.bytes != NULL;
}

/* 1: @page, which is taken, holds another version than the current one; 0: the same. */
static int take_version(struct credential *credential, struct secret *page, uint64_t since_usec)
{
	struct version *current = &credential->versions[CURRENT];
	struct version *previous = &credential->versions[PREVIOUS];
	struct version version = {.page = *page, .since_usec = since_usec};
	char since[TIME_TEXT_SIZE], expires[TIME_TEXT_SIZE] = "";

	*page = (struct secret){0};
	if (content(&version)->user[0] == '\0')
		snprintf(content(&version)->user, sizeof(content(&version)->user), "%.*s",
			 CREDENTIAL_USER_MAX, credential->source->user);
	hash_secret(credential, content(&version), &version.secret_id);
	if (held(credential, CURRENT) &&
	    memcmp(&current->secret_id, &version.secret_id, sizeof(struct hash)) == 0) {
		content(current)->expires_usec = content(&version)->expires_usec;
		secret_release(&version.page);
		return 0;
	}
	/* One that never worked is of no use as a way back. */
	secret_release(current->worked ? &previous->page : &current->page);
	if (current->worked)
		*previous = *current;
	*current = version;
	time_format(since_usec, since);
	if (content(current)->expires_usec)
		time_format(content(current)->expires_usec, expires);
	log_info("credential.new", "since", LOG_TEXT(since), "expires", LOG_TEXT(expires), LOG_END);
	return 1;
}

static int want_none(struct credential *credential, struct error *err)
{
	struct secret page = {0};

	if (held(credential, CURRENT))
		return 1;
	if (secret_init(&page, sizeof(struct credential_answer), err) < 0)
		return err->code;
	(void)take_version(credential, &page, clock_realtime_usec());
	return 1;
}

static int want_file(struct credential *credential, struct error *err)
{
	struct credential_answer *answer;
	struct secret page = {0};
	char path[PATH_MAX];
	uint64_t since_usec = 0;
	int r = place_path(credential->source->credential, path, err);

	if (r == 0)
		r = secret_init(&page, sizeof(*answer), err);
	if (r < 0)
		return r;
	answer = (struct credential_answer *)(void *)page.bytes;
	r = read_password(path, answer->password, sizeof(answer->password), &since_usec, err);
	if (r == 0) {
		(void)take_version(credential, &page, since_usec);
		return 1;
	}
	secret_release(&page);
	/* It is just being replaced, or was lost: what has worked may still do. */
	if (r == ERROR_NOT_FOUND && credential->versions[CURRENT].worked) {
		log_warning("credential.missing", "reason", LOG_TEXT(err->message), LOG_END);
		return 1;
	}
	if (r == ERROR_NOT_FOUND)
		err->code = ERROR_USAGE;
	return err->code;
}

/* --- the command ----------------------------------------------------------------------------- */

static bool is_fresh(const struct credential *credential)
{
	return held(credential, CURRENT) && !credential->login_refused &&
	       clock_monotonic_usec() < credential->fresh_usec;
}

static void lose_runner(struct credential *credential)
{
	close_fdp(&credential->runner_fd);
	credential->runner_fd = -1;
	credential->asked = false;
	log_error("credential.runner.lost", "reason", LOG_TEXT(credential->failure.message),
		  LOG_END);
}

static void ask(struct credential *credential)
{
	if (credential_runner_ask(credential->runner_fd, &credential->failure) < 0) {
		lose_runner(credential);
		return;
	}
	credential->asked = true;
	credential->asked_usec = clock_monotonic_usec();
}

static uint64_t random_below(uint64_t limit)
{
	uint64_t number;

	random_bytes(&number, sizeof(number));
	return number % (limit + 1);
}

/* After each login that was refused, the command may have another answer: at first at once. */
static void pause_command(struct credential *credential)
{
	uint64_t pause = REFUSED_FIRST_USEC;

	for (unsigned i = 1; i < credential->refused_count && pause < REFUSED_LAST_USEC; i++)
		pause *= 2;
	if (credential->refused_count > 0)
		credential->next_run_usec = clock_monotonic_usec() + MIN(pause, REFUSED_LAST_USEC);
	credential->refused_count++;
}

/* Until when it is good, and whether it is then renewed. */
static int plan_renewal(struct credential *credential, uint64_t expires_usec, struct error *err)
{
	uint64_t now = clock_realtime_usec();
	uint64_t life, until;

	if (expires_usec == 0) {
		credential->expires = false;
		credential->fresh_usec = clock_monotonic_usec() + FRESH_USEC;
		return 0;
	}
	if (expires_usec <= now)
		return error_set(err, ERROR_UNAVAILABLE,
				 "what it printed had expired already; is one of the clocks "
				 "wrong?");
	life = expires_usec - now;
	until = life / 100 * (RENEW_PERCENT + random_below(RENEW_PERCENT_MORE));
	credential->expires = true;
	credential->fresh_usec = clock_monotonic_usec() + MAX(until, SHORTEST_USEC);
	return 0;
}

static int take_output(struct credential *credential, const uint8_t *output, size_t size,
		       struct error *err)
{
	struct credential_answer *answer;
	struct secret page = {0};
	int r = secret_init(&page, sizeof(*answer), err);

	if (r < 0)
		return r;
	answer = (struct credential_answer *)(void *)page.bytes;
	r = credential_answer_decode((const char *)output, size, answer, err);
	if (r == 0)
		r = plan_renewal(credential, answer->expires_usec, err);
	if (r < 0) {
		secret_release(&page);
		return error_prefix(err, "credential command '%s'",
				    credential_command_path(credential->source));
	}
	if (take_version(credential, &page, clock_realtime_usec()) > 0)
		credential->login_refused = false;
	else if (credential->login_refused)
		pause_command(credential);
	return 0;
}

static void add_words(const struct credential *credential, char *words, struct error *err)
{
	struct error sentence = *err;
	bool said = words[0] != '\0';

	for (size_t i = 0; said && i < VERSIONS; i++) {
		const char *password =
			held(credential, i) ? content(&credential->versions[i])->password : NULL;

		if (password && password[0] && strstr(words, password))
			credential_command_tame(words, CREDENTIAL_WORDS_MAX + 1, password);
	}
	credential_command_tame(words, CREDENTIAL_WORDS_MAX + 1, NULL);
	if (said)
		error_set(err, sentence.code, "%.*s: %s", ERROR_MESSAGE_SIZE / 2, sentence.message,
			  words);
}

static void note_failure(struct credential *credential, const struct error *err)
{
	bool again = strcmp(credential->failure.message, err->message) == 0;
	uint64_t random;

	random_bytes(&random, sizeof(random));
	credential->failure = *err;
	credential->next_run_usec =
		clock_monotonic_usec() +
		MAX(retry_after_failure(&credential->retry, random), SHORTEST_USEC);
	if (!again)
		log_warning("credential.failed", "reason", LOG_TEXT(err->message), LOG_END);
}

static void take_answer(struct credential *credential)
{
	char words[CREDENTIAL_WORDS_MAX + 1];
	struct secret output = {0};
	struct error err = {0};
	int r = secret_init(&output, SECRET_SIZE_MAX, &err);

	if (r == 0)
		r = credential_runner_answer(credential->runner_fd, &output, words, &err);
	if (r == ERROR_BUSY &&
	    clock_monotonic_usec() < credential->asked_usec + RUNNER_TIMEOUT_USEC) {
		secret_release(&output);
		return;
	}
	credential->asked = false;
	if (r == ERROR_CLOSED || r == ERROR_BUSY) {
		credential->failure = err;
		lose_runner(credential);
	} else {
		if (r < 0)
			add_words(credential, words, &err);
		else
			r = take_output(credential, output.bytes, (size_t)r, &err);
		if (r < 0)
			note_failure(credential, &err);
		else
			credential->failure = (struct error){0};
	}
	if (r >= 0)
		retry_reset(&credential->retry);
	secret_release(&output);
}

void credential_step(struct credential *credential)
{
	uint64_t now = clock_monotonic_usec();

	if (credential->runner_fd < 0)
		return;
	if (credential->asked)
		take_answer(credential);
	else if (credential->expires && now >= credential->fresh_usec &&
		 now >= credential->next_run_usec)
		ask(credential);
}

static int want_command(struct credential *credential, struct error *err)
{
	credential_step(credential);
	if (is_fresh(credential))
		return 1;
	if (credential->runner_fd >= 0 && !credential->asked &&
	    clock_monotonic_usec() >= credential->next_run_usec)
		ask(credential);
	if (credential->asked)
		return 0;
	if (credential->runner_fd < 0) {
		*err = credential->failure;
		return err->code;
	}
	/* It may still be right, and whether it is the server says. */
	if (held(credential, CURRENT))
		return 1;
	*err = credential->failure;
	/* The command is a thing of its own: what it cannot do now it may be able to do later. */
	return err->code;
}

int credential_want(struct credential *credential, struct error *err)
{
	if (strcmp(credential->source->credential, "none") == 0)
		return want_none(credential, err);
	if (credential_command_path(credential->source))
		return want_command(credential, err);
	return want_file(credential, err);
}

int credential_fd(const struct credential *credential)
{
	return credential->asked ? credential->runner_fd : -1;
}

uint64_t credential_deadline(const struct credential *credential)
{
	if (credential->runner_fd < 0)
		return UINT64_MAX;
	if (credential->asked)
		return credential->asked_usec + RUNNER_TIMEOUT_USEC;
	if (!credential->expires)
		return UINT64_MAX;
	return MAX(credential->fresh_usec, credential->next_run_usec);
}

int credential_wait(struct credential *credential, struct error *err)
{
	struct pollfd fds = {.events = POLLIN};
	int r;

	while ((r = credential_want(credential, err)) == 0) {
		fds.fd = credential->runner_fd;
		(void)poll(&fds, 1, 1000);
	}
	return r < 0 ? r : 0;
}

/* --- a login --------------------------------------------------------------------------------- */

static bool has_expired(const struct version *version)
{
	uint64_t expires_usec = content(version)->expires_usec;

	return expires_usec && expires_usec <= clock_realtime_usec();
}

int credential_login(struct credential *credential, size_t server_index, struct login *ret_login,
		     struct error *err)
{
	const struct credential_gate *gate = &credential->gates[server_index];

	for (size_t i = 0; i < VERSIONS; i++) {
		const struct version *version = &credential->versions[i];
		struct login login;

		if (!held(credential, i) || (i != CURRENT && has_expired(version)))
			continue;
		login = (struct login){
			.user = content(version)->user,
			.password = content(version)->password,
			.since_usec = version->since_usec,
			.secret_id = version->secret_id,
		};
		judge_id(credential, version, &login.judged_id);
		if (!credential_gate_allows(gate, &login.judged_id, clock_monotonic_usec(),
					    credential->source->retry_refused_login_usec))
			continue;
		*ret_login = login;
		return 0;
	}
	return error_set(err, ERROR_REFUSED, "%s", gate->sentence);
}

/* NULL: another has come in its place. */
static struct version *version_of(struct credential *credential, const struct login *login)
{
	for (size_t i = 0; i < VERSIONS; i++) {
		if (held(credential, i) && memcmp(&credential->versions[i].secret_id,
						  &login->secret_id, sizeof(struct hash)) == 0)
			return &credential->versions[i];
	}
	return NULL;
}

void credential_accepted(struct credential *credential, size_t server_index,
			 const struct login *login)
{
	struct version *version = version_of(credential, login);

	credential_gate_accepted(&credential->gates[server_index], &login->judged_id);
	if (version)
		version->worked = true;
	if (version != &credential->versions[CURRENT])
		return;
	credential->login_refused = false;
	credential->refused_count = 0;
}

int credential_refused(struct credential *credential, size_t server_index,
		       const struct login *login, struct error *err)
{
	uint64_t again_usec = credential->source->retry_refused_login_usec;
	struct error sentence = *err;
	char again[TIME_TEXT_SIZE] = "";

	if (again_usec > 0)
		time_format(clock_realtime_usec() + again_usec, again);
	error_set(err, sentence.code,
		  "%.400s; it is not tried there again until the credential changes%s%.16s%s",
		  sentence.message, again[0] ? ", or " : "", again, again[0] ? "Z" : "");
	credential_gate_refused(&credential->gates[server_index], &login->judged_id,
				clock_monotonic_usec(), err->message);
	if (credential_command_path(credential->source) &&
	    version_of(credential, login) == &credential->versions[CURRENT]) {
		credential->login_refused = true;
		pause_command(credential);
	}
	log_warning("login.refused", "reason", LOG_TEXT(err->message), LOG_END);
	return err->code;
}

void credential_date(const struct login *login, char date[static CREDENTIAL_DATE_SIZE])
{
	char text[TIME_TEXT_SIZE];

	date[0] = '\0';
	if (login->password[0] == '\0')
		return;
	time_format(login->since_usec, text);
	snprintf(date, CREDENTIAL_DATE_SIZE, "%.10s", text);
}

void credential_forgive(struct credential *credential)
{
	for (size_t i = 0; i < CONFIG_SERVERS_MAX; i++)
		credential_gate_forgive(&credential->gates[i]);
	credential->login_refused = false;
	credential->refused_count = 0;
	credential->fresh_usec = 0;
	credential->next_run_usec = 0;
}
