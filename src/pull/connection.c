#include "pull/connection.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mysql.h>
#include <errmsg.h>
#include <mysqld_error.h>

/* Of MySQL 8 alone, so unknown to MariaDB's header. */
#define MYSQL_ACCOUNT_LOCKED   3118
#define MYSQL_PASSWORD_BLOCKED 3955 /* FAILED_LOGIN_ATTEMPTS was reached */

/* ma_pvio.h shows the TLS session only with this, and uses a type that it does not define. */
#define HAVE_TLS 1
typedef unsigned char uchar;
#include <ma_pvio.h>

#include "base/checked.h"
#include "base/units.h"
#include "binlog/flavour.h"
#include "config/place.h"
#include "io/clock.h"
#include "pull/credential.h"
#include "pull/credential_answer.h"
#include "pull/waiting.h"

/* Plugins that never send a password that TLS alone protects to anybody but the server itself. */
#define ALLOWED_PLUGINS "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password"

/*
 * Before the dump only short answers are read: what a server sends beyond is not for us. Of a
 * login, and of a statement's answer before its first row (the library holds that),
 * PREAMBLE_SIZE_MAX.
 */
#define PACKET_SIZE_MAX	   (1ul << 20)
#define PREAMBLE_SIZE_MAX  (1ul << 20)
#define ANSWER_ROWS_MAX	   200000u
#define ANSWER_COLUMNS_MAX 64u

#define SERVER_TEXT_SIZE 512

/*
 * What the server shall do when it hears and sees nothing of us. net_write_timeout: its 60 s would
 * end the stream of a vault that cannot write for a minute, and with the stream what keeps the
 * server from purging the file; while for ever would let a vault that hangs hold binlogs on the
 * server's disk. wait_timeout: its 8 h would keep the sessions of a vault that died, which count
 * against the account's MAX_USER_CONNECTIONS; the observer asks once a minute. net_read_timeout
 * stays: it is about what comes in parts, and all that we send is short.
 */
#define SESSION_TIMEOUTS "SET net_write_timeout=600, wait_timeout=600"

struct connection {
	MYSQL *mysql;
	char server[300];	/* "host:port", for sentences */
	uint64_t patience_usec; /* for all that is asked, from the login or renew on */
	uint64_t until_usec;	/* monotonic */
};

void connection_free(struct connection *connection)
{
	if (!connection)
		return;
	if (connection->mysql)
		mysql_close(connection->mysql);
	free(connection);
}

/* In place: it goes to logs and terminals. */
static char *make_printable(char *text)
{
	for (char *c = text; *c; c++) {
		if (*c == '\n')
			*c = ' ';
		else if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	}
	return text;
}

/*
 * What a text of libmariadb 3.3 (OpenSSL's words behind "TLS/SSL error: ") means; the first that
 * fits counts. The sentence is @before, the server's name, @behind.
 */
struct tls_failure {
	const char *words;
	int code;
	const char *before, *behind;
};

#define NOT_SIGNED " is not signed by tls-ca"
#define NO_TLS	   " offers no TLS, so no password was sent: configure TLS on the server"
#define TOO_OLD	   " has no version of TLS that tls-minimum allows"
#define WRONG_HOST " is for another host name: put a name that it was issued for into `servers`"
#define NOT_ACCEPTED                                                                               \
	" does not accept our tls-certificate: has it expired, did an authority sign it "          \
	"that the server trusts (ssl_ca)?"

static const struct tls_failure tls_failures[] = {
	/* clang-format off */
	{"has expired", ERROR_REFUSED, "the certificate of ",
	 " has expired: renew it on the server"},
	{"not yet valid", ERROR_REFUSED, "the certificate of ",
	 " is not valid yet: is one of both clocks wrong?"},
	{"self-signed", ERROR_REFUSED, "the certificate of ", NOT_SIGNED},
	{"unable to get local issuer", ERROR_REFUSED, "the certificate of ", NOT_SIGNED},
	{"certificate verify failed", ERROR_REFUSED, "the certificate of ", NOT_SIGNED},
	{"validation of ssl server certificate", ERROR_REFUSED, "the certificate of ", WRONG_HOST},
	{"does not support", ERROR_REFUSED, "", NO_TLS},
	{"protocol version", ERROR_REFUSED, "", TOO_OLD},
	{"unsupported protocol", ERROR_REFUSED, "", TOO_OLD},
	{"key values mismatch", ERROR_USAGE, "for ", ": tls-key is not the key of tls-certificate"},
	{"alert", ERROR_REFUSED, "", NOT_ACCEPTED},
	{"timed out", ERROR_UNAVAILABLE, "TLS with ", " ended"},
	{"unexpected eof", ERROR_UNAVAILABLE, "TLS with ", " ended"},
	{"reset by peer", ERROR_UNAVAILABLE, "TLS with ", " ended"},
	{"", ERROR_REFUSED, "TLS with ", " failed"},
	/* clang-format on */
};

static int tls_error(const char *server, const char *text, struct error *err)
{
	const struct tls_failure *failure = tls_failures;

	while (!strcasestr(text, failure->words))
		failure++;
	return error_set(err, failure->code, "%s%s%s (%.200s)", failure->before, server,
			 failure->behind, text);
}

/* What a server's refusal of the login means; NULL if it is no such refusal. */
static const char *login_refusal(unsigned int number)
{
	switch (number) {
	case ER_ACCESS_DENIED_ERROR:
	case ER_DBACCESS_DENIED_ERROR:
	case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
		return "check the account, its password and REQUIRE X509 against tls-certificate";
	case ER_MUST_CHANGE_PASSWORD_LOGIN:
	case ER_MUST_CHANGE_PASSWORD:
		return "the password has expired; give the account a new one";
	case ER_ACCOUNT_HAS_BEEN_LOCKED:
	case MYSQL_ACCOUNT_LOCKED:
		return "the account is locked; do: ALTER USER ... ACCOUNT UNLOCK";
	case ER_USER_IS_BLOCKED:
	case MYSQL_PASSWORD_BLOCKED:
		return "the account is blocked after too many failed logins";
	default:
		return NULL;
	}
}

static int login_error(struct connection *connection, const struct login *login,
		       unsigned int number, struct error *err)
{
	char date[CREDENTIAL_DATE_SIZE];

	credential_date(login, date);
	return error_set(err, ERROR_REFUSED, "%s refused the login of '%.*s' (%u%s%s): %s",
			 connection->server, CREDENTIAL_USER_MAX, login->user, number,
			 date[0] ? ", password of " : "", date, login_refusal(number));
}

static bool is_ours(unsigned int number)
{
	return number >= CR_MIN_ERROR && number <= CR_MAX_ERROR;
}

/* TCP itself has failed, which the library says best. */
static bool never_came_there(unsigned int number)
{
	return number == CR_CONNECTION_ERROR || number == CR_CONN_HOST_ERROR ||
	       number == CR_UNKNOWN_HOST;
}

/* Has a call of the library failed because its bounds were reached? 0: no. */
static int bounds_error(const struct connection *connection, const char *statement,
			struct error *err)
{
	char what[SERVER_TEXT_SIZE] = "the login";

	if (statement)
		snprintf(what, sizeof(what), "its answer to '%s'", statement);
	if (waiting_is_over())
		return error_set(err, ERROR_UNAVAILABLE,
				 "%s did not finish %s within %llu s (connect-timeout): it is too "
				 "slow, or the network to it, or it holds us back",
				 connection->server, what,
				 (unsigned long long)(connection->patience_usec / USEC_PER_SEC));
	if (waiting_is_full())
		return error_set(err, ERROR_UNAVAILABLE,
				 "%s sent more than %lu bytes for %s, before anything of use",
				 connection->server, PREAMBLE_SIZE_MAX, what);
	if (waiting_was_silent())
		return error_set(
			err, ERROR_UNAVAILABLE,
			"%s has sent nothing for %d s, and owes us %s: is the network cut?",
			connection->server, WAITING_SILENCE_SEC, what);
	return 0;
}

/* The library's text ends in getaddrinfo()'s code: "Unknown server host 'db1' (-2)". */
static const char *resolver_reason(const char *text)
{
	const char *code = strrchr(text, '(');

	return gai_strerror(code ? (int)strtol(code + 1, NULL, 10) : EAI_FAIL);
}

/* What a person must change ends in REFUSED; what time may heal in UNAVAILABLE. */
static int connect_error(struct connection *connection, struct error *err)
{
	unsigned int number = mysql_errno(connection->mysql);
	const char *server = connection->server;
	char text[SERVER_TEXT_SIZE];

	snprintf(text, sizeof(text), "%s", mysql_error(connection->mysql));
	make_printable(text);
	if (is_ours(number) && !never_came_there(number) && bounds_error(connection, NULL, err) < 0)
		return err->code;
	switch (number) {
	case ER_HOST_NOT_PRIVILEGED:
	case ER_HOST_IS_BLOCKED:
		return error_set(err, ERROR_REFUSED, "%s does not allow this host (%u): %s", server,
				 number, text);
	case CR_SSL_CONNECTION_ERROR:
		return tls_error(server, text, err);
	case CR_AUTH_PLUGIN_CANNOT_LOAD:
	case CR_AUTH_PLUGIN_ERR:
	case CR_PLUGIN_NOT_ALLOWED: /* its text names the plugin wrongly */
		return error_set(
			err, ERROR_REFUSED,
			"%s asks for a way to log in that is not allowed, and was sent no password "
			"(%u): only " ALLOWED_PLUGINS ". Do on the server: ALTER USER",
			server, number);
	case CR_SERVER_LOST:
		/* With TLS 1.3 a server judges our certificate when we think that TLS stands. */
		return error_set(
			err, ERROR_UNAVAILABLE,
			"%s ended the connection during the login (%u): %s; if it does so "
			"every time, it may not accept our tls-certificate (expired?), see "
			"its log",
			server, number, text);
	case CR_UNKNOWN_HOST:
		return error_set(
			err, ERROR_UNAVAILABLE,
			"the name of %s cannot be resolved: %s. It is tried again; do: see "
			"that the name is right and that a server of /etc/resolv.conf "
			"answers, or write the address in its place",
			server, resolver_reason(text));
	default:
		return error_set(
			err, ERROR_UNAVAILABLE,
			"connecting to %s failed (%u): %s. It is tried again; do: see that "
			"the server runs and that this host can reach it",
			server, number, text);
	}
}

/* Where they lie now: read at each connect, so that what was renewed is used. */
struct tls_files {
	char ca[PATH_MAX], certificate[PATH_MAX], key[PATH_MAX]; /* "": none */
};

/* The library's own words for a file that it cannot read do not name it. */
static int find_file(const char *option, const char *place, char path[static PATH_MAX],
		     struct error *err)
{
	path[0] = '\0';
	return place ? place_find(option, place, path, err) : 0;
}

static int find_files(const struct config_source *source, struct tls_files *files,
		      struct error *err)
{
	int r = find_file("tls-ca", source->tls_ca, files->ca, err);

	if (r == 0)
		r = find_file("tls-certificate", source->tls_certificate, files->certificate, err);
	files->key[0] = '\0';
	if (r == 0 && source->tls_key)
		r = place_find_secret("tls-key", source->tls_key, files->key, err);
	return r;
}

static void set_options(MYSQL *mysql, const struct config_source *source,
			const struct tls_files *files, const char *id)
{
	/* "localhost" would mean a UNIX socket: nothing that a vault has. */
	const unsigned int tcp = MYSQL_PROTOCOL_TCP;
	const unsigned int timeout_sec = WAITING_SILENCE_SEC;
	const unsigned long packet_size = PACKET_SIZE_MAX;
	const my_bool on = 1;
	const my_bool off = 0;

	mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_sec);
	mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &timeout_sec);
	mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &timeout_sec);
	waiting_init(mysql);
	mysql_options(mysql, MYSQL_OPT_RECONNECT, &off);
	mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &off);
	mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_size);
	mysql_options(mysql, MYSQL_OPT_PROTOCOL, &tcp);
	mysql_options(mysql, MYSQL_OPT_SSL_CA, files->ca);
	if (files->key[0]) {
		mysql_options(mysql, MYSQL_OPT_SSL_CERT, files->certificate);
		mysql_options(mysql, MYSQL_OPT_SSL_KEY, files->key);
	}
	mysql_options(mysql, MARIADB_OPT_TLS_VERSION,
		      source->tls_minimum == TLS_MINIMUM_1_3 ? "TLSv1.3" : "TLSv1.2,TLSv1.3");
	mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &on);
	mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
	mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH, ALLOWED_PLUGINS);
	mysql_options4(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "binvault-pull");
	mysql_options4(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "binvault_connection", id);
}

/*
 * A dead network is found by the kernel as well as by missing heartbeats (listening.h): what was
 * sent and has not arrived after two heartbeats, as an acknowledgement while events still come in;
 * or a probe of a connection that is idle, as the observer's mostly is. (Where TCP_USER_TIMEOUT is
 * set, it ends those too, whatever TCP_KEEPCNT says.)
 */
static void set_socket_options(int fd, uint64_t heartbeat_usec)
{
	const int on = 1;
	const int interval_sec = (int)MAX(heartbeat_usec / USEC_PER_SEC, UINT64_C(1));
	const int timeout_msec = (int)(MAX(2 * heartbeat_usec, 3 * USEC_PER_SEC) / USEC_PER_MSEC);
	const int receive_size = 4 << 20;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &interval_sec, sizeof(interval_sec));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_sec, sizeof(interval_sec));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_size, sizeof(receive_size));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_msec, sizeof(timeout_msec));
}

/* The library's copies: its own of the password, and the last packet, which holds the password
 * where a plugin sends it under TLS. OpenSSL's records are encrypted in place. */
static void wipe_password(MYSQL *mysql)
{
	NET *net = &mysql->net;

	if (mysql->passwd)
		secret_wipe(mysql->passwd, strlen(mysql->passwd));
	if (net->buff)
		secret_wipe(net->buff, (size_t)(net->buff_end - net->buff));
}

/* A login with what @login says. 1: done; 0: the server refused it. */
static int try_login(struct connection *connection, const struct config_source *source,
		     const struct config_server *server, const struct tls_files *files,
		     const struct login *login, const char *id, unsigned int *ret_number,
		     struct error *err)
{
	MYSQL *mysql = mysql_init(NULL);
	int r = 1;

	ASSERT(mysql);
	/* A handle that has failed once is not used again. */
	if (connection->mysql)
		mysql_close(connection->mysql);
	connection->mysql = mysql;
	set_options(mysql, source, files, id);
	waiting_bound(connection->until_usec, PREAMBLE_SIZE_MAX);
	if (!mysql_real_connect(mysql, server->host, login->user, login->password, NULL,
				server->port, NULL, 0)) {
		*ret_number = mysql_errno(mysql);
		r = login_refusal(*ret_number) ? 0 : connect_error(connection, err);
	}
	wipe_password(mysql);
	return r;
}

/* With each version of the credential that may be tried here. */
static int login(struct connection *connection, const struct config_source *source,
		 const struct config_server *server, struct credential *credential, const char *id,
		 struct error *err)
{
	size_t index = (size_t)(server - source->servers);
	struct tls_files files;
	struct login login;
	unsigned int number;
	int r;

	ASSERT(index < source->server_count);
	r = find_files(source, &files, err);
	while (r == 0) {
		r = credential_login(credential, index, &login, err);
		if (r < 0)
			return r;
		r = try_login(connection, source, server, &files, &login, id, &number, err);
		if (r == 0) {
			(void)login_error(connection, &login, number, err);
			(void)credential_refused(credential, index, &login, err);
		}
	}
	if (r > 0)
		credential_accepted(credential, index, &login);
	return r;
}

static struct connection *connection_new(const struct config_source *source,
					 const struct config_server *server)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	ASSERT(connection);
	snprintf(connection->server, sizeof(connection->server), "%s:%u", server->host,
		 (unsigned)server->port);
	connection->patience_usec = source->connect_timeout_usec;
	connection_renew(connection);
	return connection;
}

/* It is logged in: but is it what it must be? */
static int finish_open(struct connection *connection, const struct config_source *source,
		       struct error *err)
{
	if (!mysql_get_ssl_cipher(connection->mysql))
		return error_set(
			err, ERROR_REFUSED,
			"the connection to %s is not encrypted: configure TLS on the server",
			connection->server);
	set_socket_options(connection_fd(connection), source->heartbeat_usec);
	return connection_execute(connection, SESSION_TIMEOUTS, err);
}

int connection_open(const struct config_source *source, const struct config_server *server,
		    struct credential *credential, const char *id,
		    struct connection **ret_connection, struct error *err)
{
	CLEANUP(connection_freep)
	struct connection *connection = connection_new(source, server);
	int r = login(connection, source, server, credential, id, err);

	if (r >= 0)
		r = finish_open(connection, source, err);
	if (r < 0)
		return r;
	*ret_connection = TAKE(connection);
	return 0;
}

int connection_open_as(const struct config_source *source, const struct config_server *server,
		       const struct login *login, const char *id,
		       struct connection **ret_connection, struct error *err)
{
	CLEANUP(connection_freep)
	struct connection *connection = connection_new(source, server);
	struct tls_files files;
	unsigned int number;
	int r = find_files(source, &files, err);

	if (r == 0)
		r = try_login(connection, source, server, &files, login, id, &number, err);
	if (r == 0) {
		(void)login_error(connection, login, number, err);
		return 1;
	}
	if (r > 0)
		r = finish_open(connection, source, err);
	if (r < 0)
		return r;
	*ret_connection = TAKE(connection);
	return 0;
}

void connection_renew(struct connection *connection)
{
	connection->until_usec = clock_monotonic_usec() + connection->patience_usec;
}

unsigned long connection_thread(const struct connection *connection)
{
	return mysql_thread_id(connection->mysql);
}

const char *connection_version(const struct connection *connection)
{
	return flavour_version_text(mysql_get_server_info(connection->mysql));
}

int connection_fd(const struct connection *connection)
{
	return (int)mysql_get_socket(connection->mysql);
}

static int query_error(struct connection *connection, const char *statement, struct error *err)
{
	unsigned int number = mysql_errno(connection->mysql);
	int code = is_ours(number) ? ERROR_UNAVAILABLE : ERROR_REFUSED;
	char text[SERVER_TEXT_SIZE];

	if (is_ours(number) && bounds_error(connection, statement, err) < 0)
		return err->code;
	snprintf(text, sizeof(text), "%s", mysql_error(connection->mysql));
	/* MariaDB lets an account with an expired password in, and then does nothing for it. */
	if (number == ER_MUST_CHANGE_PASSWORD)
		return error_set(err, ERROR_REFUSED, "%s does nothing for our account (%u): %s",
				 connection->server, number, login_refusal(number));
	return error_set(err, code, "%s answered to '%s': %u %s", connection->server, statement,
			 number, make_printable(text));
}

static int check_answer(struct connection *connection, const char *statement, size_t row_count,
			struct error *err)
{
	if (row_count > ANSWER_ROWS_MAX)
		return error_set(err, ERROR_UNAVAILABLE, "%s sent more than %u rows to '%s'",
				 connection->server, ANSWER_ROWS_MAX, statement);
	return bounds_error(connection, statement, err);
}

/* Row by row: an answer is never held whole, and one without an end is left. */
static int read_rows(struct connection *connection, const char *statement, MYSQL_RES *result,
		     connection_columns *callback, void *context, struct error *err)
{
	const char *columns[ANSWER_COLUMNS_MAX];
	unsigned int count = mysql_num_fields(result);
	size_t row_count = 0;
	MYSQL_ROW row;
	int r = 0;

	if (count == 0 || count > ANSWER_COLUMNS_MAX)
		r = error_set(err, ERROR_UNAVAILABLE, "%s sent rows of %u columns to '%s'",
			      connection->server, count, statement);
	while (r >= 0 && (row = mysql_fetch_row(result))) {
		r = check_answer(connection, statement, ++row_count, err);
		for (unsigned int i = 0; i < count; i++)
			columns[i] = row[i] ? make_printable(row[i]) : NULL;
		if (r == 0)
			r = callback(context, count, columns, err);
	}
	if (r >= 0 && mysql_errno(connection->mysql) != 0)
		r = query_error(connection, statement, err);
	/* The library would read the rest before it gives the result back. */
	if (r < 0)
		(void)shutdown(connection_fd(connection), SHUT_RDWR);
	return r < 0 ? r : 0;
}

/* 1: each row of the answer went to @callback; 0: it has none. */
static int query(struct connection *connection, const char *statement, connection_columns *callback,
		 void *context, struct error *err)
{
	MYSQL_RES *result;
	int r;

	waiting_bound(connection->until_usec, PREAMBLE_SIZE_MAX);
	if (mysql_query(connection->mysql, statement) != 0)
		return query_error(connection, statement, err);
	result = mysql_use_result(connection->mysql);
	if (!result && mysql_errno(connection->mysql) != 0)
		return query_error(connection, statement, err);
	if (!result)
		return 0;
	waiting_bound(connection->until_usec, UINT64_MAX); /* rows are counted one by one */
	r = read_rows(connection, statement, result, callback, context, err);
	mysql_free_result(result);
	return r < 0 ? r : 1;
}

static int ignore_columns(void *context, size_t count, const char *const *columns,
			  struct error *err)
{
	(void)context;
	(void)count;
	(void)columns;
	(void)err;
	return 0;
}

int connection_execute(struct connection *connection, const char *statement, struct error *err)
{
	int r = query(connection, statement, ignore_columns, NULL, err);

	return r < 0 ? r : 0;
}

int connection_table(struct connection *connection, const char *statement,
		     connection_columns *callback, void *context, struct error *err)
{
	int r = query(connection, statement, callback, context, err);

	if (r == 0)
		return error_set(err, ERROR_UNAVAILABLE, "%s sent no rows to '%s'",
				 connection->server, statement);
	return r < 0 ? r : 0;
}

struct first_column {
	connection_row *callback;
	void *context;
};

static int take_first_column(void *context, size_t count, const char *const *columns,
			     struct error *err)
{
	const struct first_column *first = context;

	(void)count;
	return first->callback(first->context, columns[0] ? columns[0] : "", err);
}

int connection_rows(struct connection *connection, const char *statement, connection_row *callback,
		    void *context, struct error *err)
{
	struct first_column first = {callback, context};

	return connection_table(connection, statement, take_first_column, &first, err);
}

struct one_value {
	char *text;
	size_t size;
	size_t count;
};

static int take_value(void *context, const char *text, struct error *err)
{
	struct one_value *value = context;

	if (value->count++ > 0)
		return 0;
	if (strlen(text) >= value->size)
		return error_set(err, ERROR_DEFECT,
				 "the server's answer has %zu bytes, %zu at most "
				 "are expected",
				 strlen(text), value->size - 1);
	memcpy(value->text, text, strlen(text) + 1);
	return 0;
}

int connection_value(struct connection *connection, const char *statement, char *text,
		     size_t text_size, struct error *err)
{
	struct one_value value = {.text = text, .size = text_size};
	int r = connection_rows(connection, statement, take_value, &value, err);

	if (r < 0)
		return r;
	if (value.count == 0)
		return error_set(err, ERROR_NOT_FOUND, "%s has no answer to '%s'",
				 connection->server, statement);
	return 0;
}

void connection_inspect(struct connection *connection, struct tls_stream **ret_stream)
{
	tls_stream_inspect(connection->mysql->net.pvio->ctls->ssl, ret_stream);
}

int connection_tls(struct connection *connection, struct tls_stream **ret_stream, struct error *err)
{
	return tls_stream_new(connection->mysql->net.pvio->ctls->ssl, connection_fd(connection),
			      ret_stream, err);
}

int connection_dump(struct connection *connection, uint8_t command, const uint8_t *bytes,
		    size_t size, struct error *err)
{
	MARIADB_PVIO *pvio = connection->mysql->net.pvio;

	waiting_bound(connection->until_usec, PREAMBLE_SIZE_MAX);
	if (connection->mysql->methods->db_command(connection->mysql,
						   (enum enum_server_command)command,
						   (const char *)bytes, size, 1, NULL) != 0)
		return error_set(err, ERROR_UNAVAILABLE, "asking %s for its binlog: %s",
				 connection->server, mysql_error(connection->mysql));
	/* The library must hold nothing back: what it has read ahead would be lost to the stream.
	 */
	if (connection->mysql->net.compress || pvio->cache_pos != pvio->cache + pvio->cache_size)
		return error_set(err, ERROR_UNAVAILABLE, "%s has sent bytes before it was asked",
				 connection->server);
	return 0;
}
