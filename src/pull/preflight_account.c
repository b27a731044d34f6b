/*
 * What the account may do, by itself and by roles, without a privilege to look into `mysql`.
 *
 * A role that the account may only set (it is not active at the login) counts as well: who steals
 * the credential would set it. MariaDB shows a role's grants only while it is active, so each is
 * set for a moment; MySQL shows the account with any of its roles (USING), and what it has without
 * them only while none is active. Afterwards the roles are again what they were at the login.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "pull/account.h"
#include "pull/grants.h"
#include "pull/preflight_facts.h"

#define ROLES_MAX      64u
#define STATEMENT_SIZE (2 * FACT_ACCOUNT + 64)

struct reading {
	struct connection *connection;
	struct preflight_facts *facts;
	struct error *err;
	enum flavour flavour;
};

/* --- statements ------------------------------------------------------------------------------ */

struct adding {
	struct grants *grants;
	const char *grantee;
};

static int add_line(void *context, const char *line, struct error *err)
{
	struct adding *adding = context;

	return grants_add(adding->grants, line, adding->grantee, err);
}

/* Add what @statement, a SHOW GRANTS, answers to @grants. */
static int show(const struct reading *reading, const char *statement, struct grants *grants,
		const char *grantee)
{
	struct adding adding = {grants, grantee};

	return connection_rows(reading->connection, statement, add_line, &adding, reading->err);
}

/* Take a role as a whole from who holds it. */
static void revoke_role(const struct reading *reading, const char *role, const char *holder)
{
	char text[STATEMENT_SIZE];

	snprintf(text, sizeof(text), "REVOKE %s FROM %s", role, holder);
	json_array_append_new(reading->facts->revoke, json_string(text));
}

static int set_role(const struct reading *reading, const char *roles)
{
	char statement[FACT_ROLES + sizeof("SET ROLE ")];

	snprintf(statement, sizeof(statement), "SET ROLE %s", roles);
	return connection_execute(reading->connection, statement, reading->err);
}

/* --- which roles ----------------------------------------------------------------------------- */

static bool is_excessive(const struct grants *grants, enum flavour flavour)
{
	for (size_t i = 0; i < grants_count(grants); i++) {
		if (grant_is_excessive(grants_at(grants, i), flavour))
			return true;
	}
	return false;
}

const char *preflight_next_role(const char *at, char *role, size_t size)
{
	size_t length = 0;
	bool quoted = false;

	while (at[length] && (quoted || at[length] != ','))
		quoted ^= at[length++] == '`';
	snprintf(role, size, "%.*s", (int)MIN(length, size - 1), at);
	return at[length] == ',' ? at + length + 1 : NULL;
}

static bool is_active(const struct preflight_facts *facts, const char *role)
{
	char active[FACT_ACCOUNT];
	const char *at = facts->roles;

	while (at) {
		at = preflight_next_role(at, active, sizeof(active));
		if (strcmp(active, role) == 0)
			return true;
	}
	return false;
}

/* Is it the role that the archive works with? Then what it has too much is taken from it; any other
 * is taken from the account as a whole. */
static bool is_kept(const struct reading *reading, const char *role, const struct grants *direct,
		    const struct grants *gives)
{
	const char *required = reading->facts->source->rules.require_role;

	if (required)
		return grant_name_is(role, required);
	return is_active(reading->facts, role) && grants_missing(direct, reading->flavour)[0] &&
	       strcmp(grants_missing(gives, reading->flavour),
		      account_privileges(reading->flavour)) != 0;
}

/* --- MariaDB --------------------------------------------------------------------------------- */

/* Of @all, what @grantee holds, or everybody but the account and PUBLIC (that is: active roles). */
static int select_holder(const struct reading *reading, const struct grants *all, bool of_roles,
			 struct grants *ret)
{
	const char *account = reading->facts->account;

	for (size_t i = 0; i < grants_count(all); i++) {
		const struct grant *grant = grants_at(all, i);
		bool own = strcmp(grant->grantee, account) == 0 ||
			   strcmp(grant->grantee, "PUBLIC") == 0;

		if (own != of_roles && grants_copy(ret, grant, reading->err) < 0)
			return reading->err->code;
	}
	return 0;
}

/* One that is granted and not active: what would it give, with those that it holds itself? */
static int look_into_role(const struct reading *reading, const char *role)
{
	CLEANUP(grants_freep)
	struct grants *gives = grants_new();
	char statement[STATEMENT_SIZE];
	int r = set_role(reading, role);

	if (r < 0)
		return r;
	snprintf(statement, sizeof(statement), "SHOW GRANTS FOR %s", role);
	r = show(reading, statement, gives, NULL);
	if (r == 0 && is_excessive(gives, reading->flavour))
		revoke_role(reading, role, reading->facts->account);
	return r;
}

static int look_into_roles(const struct reading *reading, const struct grants *all)
{
	size_t role_count = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < grants_count(all); i++) {
		const struct grant *grant = grants_at(all, i);

		if (grant->kind != GRANT_ROLE || is_active(reading->facts, grant->name) ||
		    strcmp(grant->grantee, reading->facts->account) != 0)
			continue;
		if (++role_count > ROLES_MAX)
			return error_set(reading->err, ERROR_REFUSED,
					 "the account has more than %u roles", ROLES_MAX);
		r = look_into_role(reading, grant->name);
	}
	if (r == 0 && role_count > 0)
		r = set_role(reading, reading->facts->roles);
	return r;
}

static int read_mariadb(const struct reading *reading, const struct grants *all)
{
	CLEANUP(grants_freep)
	struct grants *own = grants_new();
	CLEANUP(grants_freep)
	struct grants *active = grants_new();
	int r = select_holder(reading, all, false, own);

	if (r == 0)
		r = select_holder(reading, all, true, active);
	if (r < 0)
		return r;
	grants_revoke(own, reading->flavour, reading->facts->revoke);
	if (is_kept(reading, reading->facts->roles, own, active))
		grants_revoke(active, reading->flavour, reading->facts->revoke);
	else if (is_excessive(active, reading->flavour))
		revoke_role(reading, reading->facts->roles, reading->facts->account);
	return look_into_roles(reading, all);
}

/* --- MySQL ----------------------------------------------------------------------------------- */

struct holding {
	const struct reading *reading;
	const char *role;
	bool found;
};

/* A role that @role holds. */
static int take_held(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct holding *holding = context;
	char part[4][FACT_QUOTED], holder[FACT_ACCOUNT], held[FACT_ACCOUNT];

	if (count < 4)
		return error_set(err, ERROR_DEFECT, "APPLICABLE_ROLES of %zu columns", count);
	for (size_t i = 0; i < 4; i++)
		account_quote(columns[i] ? columns[i] : "", part[i], sizeof(part[i]));
	snprintf(holder, sizeof(holder), "%s@%s", part[0], part[1]);
	snprintf(held, sizeof(held), "%s@%s", part[2], part[3]);
	if (strcmp(holder, holding->role) != 0)
		return 0;
	holding->found = true;
	revoke_role(holding->reading, held, holder);
	return 0;
}

/*
 * The server does not tell which of the roles that a role holds gives what. An archive's role has
 * no need of any: without them what it has itself is seen.
 */
static int revoke_from_role(const struct reading *reading, const char *role,
			    const struct grants *gives)
{
	struct holding holding = {reading, role, false};
	int r = connection_table(reading->connection,
				 "SELECT GRANTEE, GRANTEE_HOST, ROLE_NAME, ROLE_HOST "
				 "FROM information_schema.APPLICABLE_ROLES",
				 take_held, &holding, reading->err);

	if (r == 0 && !holding.found)
		grants_revoke(gives, reading->flavour, reading->facts->revoke);
	return r;
}

/* @mandatory: everybody has it, so that it cannot be taken from the account. */
static int judge_role(const struct reading *reading, const char *role, bool mandatory,
		      const struct grants *direct)
{
	CLEANUP(grants_freep)
	struct grants *with = grants_new();
	CLEANUP(grants_freep)
	struct grants *gives = NULL;
	char statement[STATEMENT_SIZE];
	int r;

	snprintf(statement, sizeof(statement), "SHOW GRANTS FOR CURRENT_USER() USING %s", role);
	r = show(reading, statement, with, role);
	if (r == 0)
		r = grants_subtract(with, direct, &gives, reading->err);
	if (r < 0 || !is_excessive(gives, reading->flavour))
		return r;
	if (mandatory || is_kept(reading, role, direct, gives))
		return revoke_from_role(reading, role, gives);
	revoke_role(reading, role, reading->facts->account);
	return 0;
}

/* @all knows the mandatory roles too, which @direct does not. */
static int judge_roles(const struct reading *reading, const struct grants *all,
		       const struct grants *direct)
{
	size_t role_count = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < grants_count(all); i++) {
		const struct grant *grant = grants_at(all, i);

		if (grant->kind != GRANT_ROLE)
			continue;
		if (++role_count > ROLES_MAX)
			return error_set(reading->err, ERROR_REFUSED,
					 "the account has more than %u roles", ROLES_MAX);
		r = judge_role(reading, grant->name, !grants_have(direct, grant), direct);
	}
	return r;
}

static bool has_roles(const struct grants *grants)
{
	for (size_t i = 0; i < grants_count(grants); i++) {
		if (grants_at(grants, i)->kind == GRANT_ROLE)
			return true;
	}
	return false;
}

static int read_mysql(const struct reading *reading, const struct grants *all)
{
	CLEANUP(grants_freep)
	struct grants *direct = grants_new();
	int r;

	if (!has_roles(all)) {
		grants_revoke(all, reading->flavour, reading->facts->revoke);
		return 0;
	}
	r = set_role(reading, "NONE");
	if (r == 0)
		r = show(reading, "SHOW GRANTS FOR CURRENT_USER()", direct, NULL);
	if (r < 0)
		return r;
	grants_revoke(direct, reading->flavour, reading->facts->revoke);
	r = judge_roles(reading, all, direct);
	return r < 0 ? r : set_role(reading, reading->facts->roles);
}

/* --- the account ----------------------------------------------------------------------------- */

/* "user@host": a user may hold an '@', a host cannot. */
static int split(const char *text, char user[static FACT_SIZE], char host[static FACT_SIZE],
		 struct error *err)
{
	const char *at = strrchr(text, '@');

	if (!at || (size_t)(at - text) >= FACT_SIZE || strlen(at + 1) >= FACT_SIZE)
		return error_set(err, ERROR_DEFECT, "the server calls the account '%.100s'", text);
	snprintf(user, FACT_SIZE, "%.*s", (int)(at - text), text);
	snprintf(host, FACT_SIZE, "%s", at + 1);
	return 0;
}

static int take_account(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct preflight_facts *facts = context;
	char ignored[FACT_SIZE], user[FACT_QUOTED], host[FACT_QUOTED], role[FACT_QUOTED];
	int r;

	if (count < 3 || !columns[0] || !columns[1])
		return error_set(err, ERROR_DEFECT, "the server does not say who we are");
	r = split(columns[0], facts->user, facts->host, err);
	if (r == 0)
		r = split(columns[1], ignored, facts->client, err);
	if (r < 0)
		return r;
	account_quote(facts->user, user, sizeof(user));
	account_quote(facts->host, host, sizeof(host));
	snprintf(facts->account, sizeof(facts->account), "%s@%s", user, host);
	if (columns[2] && strlen(columns[2]) >= FACT_ROLES)
		return error_set(err, ERROR_REFUSED, "the account has too many active roles");
	if (!columns[2]) {
		snprintf(facts->roles, sizeof(facts->roles), "NONE");
	} else if (facts->identity.flavour == FLAVOUR_MARIADB) {
		account_quote(columns[2], role, sizeof(role));
		snprintf(facts->roles, sizeof(facts->roles), "%s", role);
	} else {
		snprintf(facts->roles, sizeof(facts->roles), "%s", columns[2]);
	}
	return 0;
}

int preflight_read_account(struct connection *connection, struct preflight_facts *facts,
			   struct error *err)
{
	const struct reading reading = {connection, facts, err, facts->identity.flavour};
	CLEANUP(grants_freep)
	struct grants *all = grants_new();
	int r = connection_table(connection, "SELECT CURRENT_USER(), USER(), CURRENT_ROLE()",
				 take_account, facts, err);

	if (r == 0 && facts->account[0] == '\0')
		r = error_set(err, ERROR_DEFECT, "the server does not say who we are");
	if (r == 0)
		r = show(&reading, "SHOW GRANTS", all, NULL);
	if (r < 0)
		return r;
	snprintf(facts->missing, sizeof(facts->missing), "%s",
		 grants_missing(all, reading.flavour));
	return reading.flavour == FLAVOUR_MARIADB ? read_mariadb(&reading, all)
						  : read_mysql(&reading, all);
}
