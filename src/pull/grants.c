#include "pull/grants.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "pull/account.h"

#define NAME_MAX_SIZE	   1024u
#define STATEMENT_SIZE_MAX 2048u
#define GLOBAL		   "*.*"
#define ALL		   "ALL PRIVILEGES"

struct grants {
	struct grant *items;
	size_t count, capacity;
};

/* A part of a line; never NUL-terminated. */
struct slice {
	const char *text;
	size_t length;
};

struct grants *grants_new(void)
{
	struct grants *grants = calloc(1, sizeof(*grants));

	ASSERT(grants);
	return grants;
}

static void grant_release(const struct grant *grant)
{
	free(grant->name);
	free(grant->object);
	free(grant->grantee);
}

void grants_free(struct grants *grants)
{
	if (!grants)
		return;
	for (size_t i = 0; i < grants->count; i++)
		grant_release(&grants->items[i]);
	free(grants->items);
	free(grants);
}

size_t grants_count(const struct grants *grants)
{
	return grants->count;
}

const struct grant *grants_at(const struct grants *grants, size_t index)
{
	ASSERT(index < grants->count);
	return &grants->items[index];
}

/* --- one line -------------------------------------------------------------------------------- */

/*
 * The length of the quoted text at @at, with its quotes; 0 if it does not end. A quote within is
 * doubled; only in single quotes (a password hash, a name in MySQL 5) a backslash escapes.
 */
static size_t quoted_length(const char *at, const char *end)
{
	const char quote = *at;
	const char *c = at + 1;

	for (; c < end; c++) {
		if (quote == '\'' && *c == '\\') {
			c++;
		} else if (*c == quote) {
			if (c + 1 < end && c[1] == quote)
				c++;
			else
				return (size_t)(c + 1 - at);
		}
	}
	return 0;
}

static bool is_quote(char c)
{
	return c == '`' || c == '\'' || c == '"';
}

/*
 * Where @word stands in @slice outside of quotes and parentheses: NULL if it does not. A quote that
 * does not end, or a parenthesis, hides all behind it.
 */
static const char *find_word(struct slice slice, const char *word)
{
	const char *end = slice.text + slice.length;
	size_t depth = 0, length = strlen(word);

	for (const char *c = slice.text; c < end; c++) {
		if (is_quote(*c)) {
			size_t quoted = quoted_length(c, end);

			if (quoted == 0)
				return NULL;
			c += quoted - 1;
			/* The word may begin right behind it. */
			continue;
		}
		if (*c == '(')
			depth++;
		else if (*c == ')' && depth > 0)
			depth--;
		else if (depth == 0 && (size_t)(end - c) >= length &&
			 strncasecmp(c, word, length) == 0)
			return c;
	}
	return NULL;
}

static struct slice slice_trim(struct slice slice)
{
	while (slice.length > 0 && *slice.text == ' ') {
		slice.text++;
		slice.length--;
	}
	while (slice.length > 0 && slice.text[slice.length - 1] == ' ')
		slice.length--;
	return slice;
}

/* Cut @rest at @word: what stands before it is returned, what follows stays. */
static bool cut(struct slice *rest, const char *word, struct slice *ret_before)
{
	const char *at = find_word(*rest, word);
	const char *end = rest->text + rest->length;

	if (!at)
		return false;
	*ret_before = slice_trim((struct slice){rest->text, (size_t)(at - rest->text)});
	at += strlen(word);
	*rest = (struct slice){at, (size_t)(end - at)};
	return ret_before->length > 0;
}

/* The next of a list that has commas. */
static bool next_element(struct slice *rest, struct slice *ret_element)
{
	const struct slice whole = *rest;

	if (whole.length == 0)
		return false;
	if (!cut(rest, ",", ret_element)) {
		*ret_element = slice_trim(whole);
		rest->length = 0;
	}
	return ret_element->length > 0;
}

static bool begins(struct slice slice, const char *word)
{
	return slice.length >= strlen(word) && strncasecmp(slice.text, word, strlen(word)) == 0;
}

/* "GRANT what [ON object] TO grantee [rest]" */
struct parsed {
	struct slice what, object, grantee;
	struct slice rest; /* IDENTIFIED …, REQUIRE …, WITH … */
};

static bool parse_line(struct slice line, struct parsed *ret)
{
	struct parsed parsed = {.rest = line};
	struct slice before;

	if (!cut(&parsed.rest, " TO ", &before))
		return false;
	if (cut(&before, " ON ", &parsed.what))
		parsed.object = slice_trim(before);
	else
		parsed.what = slice_trim(before);
	if (!cut(&parsed.rest, " ", &parsed.grantee)) {
		parsed.grantee = slice_trim(parsed.rest);
		parsed.rest.length = 0;
	}
	if (parsed.grantee.length == 0 || parsed.what.length == 0)
		return false;
	*ret = parsed;
	return true;
}

/* Does each quote of the line end? */
static bool is_closed(struct slice line)
{
	const char *end = line.text + line.length;

	for (const char *c = line.text; c < end; c++) {
		size_t quoted = is_quote(*c) ? quoted_length(c, end) : 1;

		if (quoted == 0)
			return false;
		c += quoted - 1;
	}
	return true;
}

/* --- the set --------------------------------------------------------------------------------- */

static char *copy(struct slice slice)
{
	char *text = strndup(slice.text, slice.length);

	ASSERT(text);
	return text;
}

static bool is_same(const struct grant *a, const struct grant *b)
{
	return a->kind == b->kind && strcasecmp(a->name, b->name) == 0 &&
	       (a->kind == GRANT_ROLE || strcmp(a->object, b->object) == 0);
}

/* Takes the texts of @item. The same one again is no second one: each line may say GRANT OPTION. */
static int add_item(struct grants *grants, const struct grant *item, struct error *err)
{
	for (size_t i = 0; i < grants->count; i++) {
		if (is_same(&grants->items[i], item) &&
		    strcmp(grants->items[i].grantee, item->grantee) == 0) {
			grant_release(item);
			return 0;
		}
	}
	if (grants->count == GRANTS_MAX) {
		grant_release(item);
		return error_set(err, ERROR_REFUSED,
				 "the account has more than %u privileges, none of which an "
				 "archive needs: give it one of its own",
				 GRANTS_MAX);
	}
	if (grants->count == grants->capacity) {
		grants->capacity = grants->capacity ? 2 * grants->capacity : 32;
		grants->items = realloc(grants->items, grants->capacity * sizeof(*grants->items));
		ASSERT(grants->items);
	}
	grants->items[grants->count++] = *item;
	return 0;
}

static int not_understood(const char *line, struct error *err)
{
	return error_set(err, ERROR_REFUSED,
			 "SHOW GRANTS has a line that is not understood, so that what the account "
			 "may do is not known: '%.60s'",
			 line);
}

static int add_privilege(struct grants *grants, const struct parsed *parsed, struct slice name,
			 struct slice grantee, struct error *err)
{
	return add_item(grants,
			&(struct grant){.kind = GRANT_PRIVILEGE,
					.name = copy(name),
					.object = copy(parsed->object),
					.grantee = copy(grantee)},
			err);
}

static int add_parsed(struct grants *grants, const struct parsed *parsed, struct slice grantee,
		      struct error *err)
{
	static const char option[] = "GRANT OPTION";
	struct slice rest = parsed->what, name;
	bool proxy = begins(parsed->what, "PROXY");
	int r = 0;

	while (r == 0 && next_element(&rest, &name)) {
		if (parsed->object.length > 0)
			r = add_privilege(grants, parsed, name, grantee, err);
		else
			r = add_item(
				grants,
				&(struct grant){.kind = GRANT_ROLE,
						.name = copy(name),
						.grantee = copy(grantee),
						.admin = find_word(parsed->rest, "ADMIN OPTION")},
				err);
	}
	/* Who may no longer be another's proxy can grant that no more either. */
	if (r == 0 && parsed->object.length > 0 && !proxy && find_word(parsed->rest, option))
		r = add_privilege(grants, parsed, (struct slice){option, strlen(option)}, grantee,
				  err);
	return r;
}

int grants_add(struct grants *grants, const char *line, const char *grantee, struct error *err)
{
	struct slice whole = {line, strnlen(line, GRANT_LINE_MAX + 1)};
	struct parsed parsed;

	if (whole.length > GRANT_LINE_MAX || !is_closed(whole))
		return not_understood(line, err);
	/* Restrictions and defaults give nothing. */
	if (begins(whole, "REVOKE ") || begins(whole, "SET DEFAULT ROLE "))
		return 0;
	if (!begins(whole, "GRANT "))
		return not_understood(line, err);
	whole.text += strlen("GRANT ");
	whole.length -= strlen("GRANT ");
	if (!parse_line(whole, &parsed) || parsed.what.length > GRANT_LINE_MAX ||
	    parsed.object.length > NAME_MAX_SIZE || parsed.grantee.length > NAME_MAX_SIZE)
		return not_understood(line, err);
	return add_parsed(grants, &parsed,
			  grantee ? (struct slice){grantee, strlen(grantee)} : parsed.grantee, err);
}

bool grants_have(const struct grants *grants, const struct grant *grant)
{
	for (size_t i = 0; i < grants->count; i++) {
		if (is_same(&grants->items[i], grant))
			return true;
	}
	return false;
}

int grants_copy(struct grants *grants, const struct grant *grant, struct error *err)
{
	struct grant copied = {
		.kind = grant->kind,
		.name = strdup(grant->name),
		.object = grant->object ? strdup(grant->object) : NULL,
		.grantee = strdup(grant->grantee),
		.admin = grant->admin,
	};

	ASSERT(copied.name && copied.grantee && !copied.object == !grant->object);
	return add_item(grants, &copied, err);
}

int grants_subtract(const struct grants *from, const struct grants *without,
		    struct grants **ret_rest, struct error *err)
{
	CLEANUP(grants_freep)
	struct grants *rest = grants_new();

	for (size_t i = 0; i < from->count; i++) {
		if (!grants_have(without, &from->items[i]) &&
		    grants_copy(rest, &from->items[i], err) < 0)
			return err->code;
	}
	*ret_rest = TAKE(rest);
	return 0;
}

/* --- what an archive needs ------------------------------------------------------------------- */

/* The first two are what GRANT is told to give; the others are older names of the same. */
static const char *const needed[][5] = {
	[FLAVOUR_MARIADB] = {"REPLICATION SLAVE", "BINLOG MONITOR", "REPLICATION REPLICA",
			     "REPLICATION CLIENT", NULL},
	[FLAVOUR_MYSQL] = {"REPLICATION SLAVE", "REPLICATION CLIENT", NULL},
};

static bool is_global(const struct grant *grant)
{
	return grant->kind == GRANT_PRIVILEGE && strcmp(grant->object, GLOBAL) == 0;
}

static bool has_global(const struct grants *grants, const char *name)
{
	for (size_t i = 0; i < grants->count; i++) {
		const struct grant *grant = &grants->items[i];

		if (is_global(grant) &&
		    (strcasecmp(grant->name, name) == 0 || strcasecmp(grant->name, ALL) == 0))
			return true;
	}
	return false;
}

const char *grants_missing(const struct grants *grants, enum flavour flavour)
{
	bool mariadb = flavour == FLAVOUR_MARIADB;
	bool replicate = has_global(grants, "REPLICATION SLAVE") ||
			 (mariadb && has_global(grants, "REPLICATION REPLICA"));
	bool monitor = has_global(grants, "REPLICATION CLIENT") ||
		       (mariadb && has_global(grants, "BINLOG MONITOR"));

	if (replicate)
		return monitor ? "" : needed[flavour][1];
	return monitor ? needed[flavour][0] : account_privileges(flavour);
}

bool grant_is_excessive(const struct grant *grant, enum flavour flavour)
{
	if (grant->kind == GRANT_ROLE)
		return grant->admin;
	if (strcasecmp(grant->name, "USAGE") == 0)
		return false;
	if (!is_global(grant))
		return true;
	for (const char *const *name = needed[flavour]; *name; name++) {
		if (strcasecmp(grant->name, *name) == 0)
			return false;
	}
	return true;
}

/* --- what to type ---------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void add_statement(json_t *statements,
								const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	ASSERT(text);
	json_array_append_new(statements, json_string(text));
	free(text);
}

/* The servers have no word for the option of a role alone that both know. */
static void revoke_admin(const struct grant *grant, enum flavour flavour, json_t *statements)
{
	if (flavour == FLAVOUR_MARIADB) {
		add_statement(statements, "REVOKE ADMIN OPTION FOR %s FROM %s", grant->name,
			      grant->grantee);
		return;
	}
	add_statement(statements, "REVOKE %s FROM %s", grant->name, grant->grantee);
	add_statement(statements, "GRANT %s TO %s", grant->name, grant->grantee);
}

/* ALL stands alone in a REVOKE; on *.* it takes what is needed with it. */
static void revoke_all(const struct grant *grant, enum flavour flavour, json_t *statements)
{
	add_statement(statements, "REVOKE " ALL " ON %s FROM %s", grant->object, grant->grantee);
	if (is_global(grant))
		add_statement(statements, "GRANT %s ON " GLOBAL " TO %s",
			      account_privileges(flavour), grant->grantee);
}

static bool is_listed(const struct grant *grant, const struct grant *first, enum flavour flavour)
{
	return grant->kind == GRANT_PRIVILEGE && grant_is_excessive(grant, flavour) &&
	       strcasecmp(grant->name, ALL) != 0 && strcmp(grant->grantee, first->grantee) == 0 &&
	       strcmp(grant->object, first->object) == 0;
}

/* Is an earlier one of the same holder and object? Then this one stands in its statement. */
static bool is_told(const struct grants *grants, size_t index, enum flavour flavour)
{
	for (size_t i = 0; i < index; i++) {
		if (is_listed(&grants->items[i], &grants->items[index], flavour))
			return true;
	}
	return false;
}

static void revoke_list(const struct grants *grants, size_t first, enum flavour flavour,
			json_t *statements)
{
	const struct grant *grant = &grants->items[first];
	char *list = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&list, &size);

	ASSERT(out);
	for (size_t i = first; i < grants->count; i++) {
		if (is_listed(&grants->items[i], grant, flavour))
			fprintf(out, "%s%s", i == first ? "" : ", ", grants->items[i].name);
	}
	fclose(out);
	add_statement(statements, "REVOKE %s ON %s FROM %s", list, grant->object, grant->grantee);
	free(list);
}

void grants_revoke(const struct grants *grants, enum flavour flavour, json_t *statements)
{
	for (size_t i = 0; i < grants->count; i++) {
		const struct grant *grant = &grants->items[i];

		if (!grant_is_excessive(grant, flavour))
			continue;
		if (grant->kind == GRANT_ROLE)
			revoke_admin(grant, flavour, statements);
		else if (strcasecmp(grant->name, ALL) == 0)
			revoke_all(grant, flavour, statements);
		else if (!is_told(grants, i, flavour))
			revoke_list(grants, i, flavour, statements);
	}
}

/* --- names ----------------------------------------------------------------------------------- */

/* Take the quotes off the part of a name at @at; returns where it ends, NULL if it is none. */
static const char *unquote(const char *at, char *text, size_t size)
{
	const char *end = at + strlen(at);
	size_t length, used = 0;

	if (!is_quote(*at))
		return NULL;
	length = quoted_length(at, end);
	if (length == 0 || length > size)
		return NULL;
	for (size_t i = 1; i + 1 < length; i++) {
		text[used++] = at[i];
		if (at[i] == *at)
			i++;
	}
	text[used] = '\0';
	return at + length;
}

bool grant_name_is(const char *name, const char *plain)
{
	char part[NAME_MAX_SIZE], whole[2 * NAME_MAX_SIZE + 2];
	const char *at = unquote(name, part, sizeof(part));

	if (!at)
		return strcmp(name, plain) == 0;
	snprintf(whole, sizeof(whole), "%s", part);
	if (*at != '@')
		return strcmp(whole, plain) == 0;
	if (!unquote(at + 1, part, sizeof(part)))
		return false;
	if (strcmp(part, "%") == 0 && strcmp(whole, plain) == 0)
		return true;
	snprintf(whole + strlen(whole), sizeof(whole) - strlen(whole), "@%s", part);
	return strcmp(whole, plain) == 0;
}
