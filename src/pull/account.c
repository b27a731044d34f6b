#include "pull/account.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "config/place.h"
#include "crypto/certificate.h"
#include "pull/credential.h"

#define LINE_SIZE   2048
#define NAME_SIZE   640 /* of an account, quoted: both of its parts */
#define PLACEHOLDER "ADDRESS"

const char *account_privileges(enum flavour flavour)
{
	return flavour == FLAVOUR_MARIADB ? "REPLICATION SLAVE, BINLOG MONITOR"
					  : "REPLICATION SLAVE, REPLICATION CLIENT";
}

/* Between @quote, what has a meaning in there doubled. */
static void quote_with(char quote, const char *name, char *text, size_t size)
{
	size_t used = 0;

	ASSERT(size >= 3);
	text[used++] = quote;
	for (; *name && used + 4 <= size; name++) {
		if (*name == quote || (quote == '\'' && *name == '\\'))
			text[used++] = *name;
		text[used++] = *name;
	}
	text[used++] = quote;
	text[used] = '\0';
}

void account_quote(const char *name, char *text, size_t size)
{
	quote_with('`', name, text, size);
}

__attribute__((format(printf, 2, 3))) static void add(json_t *lines, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	json_array_append_new(lines, json_string(line));
}

static void add_head(const struct account_plan *plan, json_t *lines)
{
	const struct config_source *source = plan->source;

	add(lines, "-- The least that the archive of source '%s' needs of %s:", source->name,
	    flavour_traits(plan->flavour)->name);
	if (!plan->host)
		add(lines, "-- " PLACEHOLDER
			   ": this vault's address as the server sees it; not '%%', so that "
			   "a stolen password is of no use elsewhere");
	if (strcmp(source->credential, "none") != 0)
		add(lines,
		    "-- PASSWORD: what the first line of the credential (%s) says; long and random",
		    source->credential);
	if (!source->tls_certificate)
		add(lines, "-- Better than SSL alone: give the source a tls-certificate, and "
			   "REQUIRE X509 here");
}

/* Without a password any certificate of the same authority would open an account with X509. */
static int add_requirement(const struct account_plan *plan, const char *account, json_t *lines,
			   struct error *err)
{
	const struct config_source *source = plan->source;
	char subject[2 * CERTIFICATE_NAME_SIZE], issuer[2 * CERTIFICATE_NAME_SIZE];
	struct certificate certificate;
	char path[PATH_MAX];

	if (strcmp(source->credential, "none") != 0) {
		add(lines, "CREATE USER %s IDENTIFIED BY 'PASSWORD' REQUIRE %s;", account,
		    source->tls_certificate ? "X509" : "SSL");
		return 0;
	}
	if (place_path(source->tls_certificate, path, err) < 0 ||
	    certificate_read(path, &certificate, err) < 0)
		return error_prefix(err, "tls-certificate");
	quote_with('\'', certificate.subject, subject, sizeof(subject));
	quote_with('\'', certificate.issuer, issuer, sizeof(issuer));
	add(lines, "CREATE USER %s", account);
	add(lines, "  REQUIRE SUBJECT %s", subject);
	add(lines, "  AND ISSUER %s;", issuer);
	return 0;
}

static void add_role(const struct account_plan *plan, const char *account, json_t *lines)
{
	char role[NAME_SIZE / 2];
	bool mariadb = plan->flavour == FLAVOUR_MARIADB;

	account_quote(plan->source->rules.require_role, role, sizeof(role));
	add(lines, "CREATE ROLE %s;", role);
	add(lines, "GRANT %s ON *.* TO %s;", account_privileges(plan->flavour), role);
	add(lines, "GRANT %s TO %s;", role, account);
	add(lines, "SET DEFAULT ROLE %s %s %s;", role, mariadb ? "FOR" : "TO", account);
}

int account_statements(const struct account_plan *plan, json_t *lines, struct error *err)
{
	char user[NAME_SIZE / 2], host[NAME_SIZE / 2], account[NAME_SIZE];
	int r;

	account_quote(plan->source->user, user, sizeof(user));
	account_quote(plan->host ? plan->host : PLACEHOLDER, host, sizeof(host));
	snprintf(account, sizeof(account), "%s@%s", user, host);
	add_head(plan, lines);
	r = add_requirement(plan, account, lines, err);
	if (r < 0)
		return r;
	if (plan->source->rules.require_role)
		add_role(plan, account, lines);
	else
		add(lines, "GRANT %s ON *.* TO %s;", account_privileges(plan->flavour), account);
	return 0;
}
