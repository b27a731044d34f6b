#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "config/lines.h"
#include "config/options.h"

#define NO_SECTION SIZE_MAX

struct section_kind {
	const char *word;
	bool named;
	enum option_scope scope;
};

enum kind_index {
	KIND_ARCHIVE,
	KIND_HSM,
	KIND_EXPORT,
	KIND_ACCESS,
	KIND_SIEM,
	KIND_DEFAULTS,
	KIND_NAMED
};

/* The first KIND_NAMED of them stand at most once, at the index of enum kind_index. */
static const struct section_kind kinds[] = {
	{"archive", false, OPTION_ARCHIVE},    {"hsm", false, OPTION_HSM},
	{"export", false, OPTION_EXPORT},      {"access", false, OPTION_ACCESS},
	{"siem", false, OPTION_SIEM},	       {"defaults", false, OPTION_SOURCE},
	{"retention", true, OPTION_RETENTION}, {"source", true, OPTION_SOURCE},
	{"client", true, OPTION_CLIENT},
};

struct building {
	struct config *config;
	struct config_lines lines;
	size_t single[KIND_NAMED]; /* section index, or NO_SECTION */
	struct error *err;
};

static int at_line(const struct building *building, unsigned line)
{
	return error_prefix(building->err, "%s:%u", building->lines.path, line);
}

/* The kind of a section and its name ("" if it has none); NULL if there is no such kind. */
static const struct section_kind *find_kind(const char *title, const char **ret_name)
{
	size_t length = strcspn(title, " \t");
	const char *name = title + length + strspn(title + length, " \t");

	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		if (strlen(kinds[i].word) == length && memcmp(kinds[i].word, title, length) == 0) {
			*ret_name = name;
			return &kinds[i];
		}
	}
	return NULL;
}

static const struct option *find_option(enum option_scope scope, const char *key)
{
	const struct option *option;

	for (size_t i = 0; (option = option_at(i)); i++) {
		if (option->scope == scope && strcmp(option->shown.key, key) == 0)
			return option;
	}
	return NULL;
}

static int refuse_key(struct building *building, const struct config_entry *entry,
		      enum option_scope scope)
{
	const struct config_section *section = &building->lines.sections[entry->section_index];
	char known[ERROR_MESSAGE_SIZE - 128] = "";
	const struct option *option;

	if (strcmp(entry->key, "password") == 0 || strcmp(entry->key, "pin") == 0) {
		error_set(building->err, ERROR_USAGE,
			  "a password or PIN does not belong into the configuration; say with "
			  "'%s' where it stands",
			  scope == OPTION_HSM ? "pin-source" : "credential");
		return at_line(building, entry->line);
	}
	for (size_t i = 0; (option = option_at(i)); i++) {
		size_t used = strlen(known);

		if (option->scope == scope)
			snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
				 option->shown.key);
	}
	error_set(building->err, ERROR_USAGE, "unknown key '%s' in section [%s]; known are: %s",
		  entry->key, section->title, known);
	return at_line(building, entry->line);
}

static int check_section(struct building *building, size_t section_index)
{
	const struct config_section *section = &building->lines.sections[section_index];
	const char *name;
	const struct section_kind *kind = find_kind(section->title, &name);
	int result = 0;

	if (!kind)
		result = error_set(building->err, ERROR_USAGE,
				   "unknown section [%s]; known are: archive, hsm, export, access, "
				   "siem, defaults, retention NAME, source NAME, client NAME",
				   section->title);
	else if (!kind->named && *name != '\0')
		result = error_set(building->err, ERROR_USAGE, "section [%s] takes no name",
				   kind->word);
	else if (kind->named && name_check_source(name, building->err) < 0)
		result = error_prefix(building->err, "section [%s NAME]", kind->word);
	if (result < 0)
		return at_line(building, section->line);
	if (!kind->named)
		building->single[kind - kinds] = section_index;
	for (size_t i = 0; i < building->lines.entry_count; i++) {
		const struct config_entry *entry = &building->lines.entries[i];

		if (entry->section_index == section_index && !find_option(kind->scope, entry->key))
			return refuse_key(building, entry, kind->scope);
	}
	return 0;
}

static int apply_entry(struct building *building, const struct option *option,
		       const struct config_entry *entry, void *target)
{
	if (entry->continued && !(option->flags & OPTION_LIST)) {
		error_set(building->err, ERROR_USAGE,
			  "'%s' takes one value, not a list in several lines", option->shown.key);
		return at_line(building, entry->line);
	}
	if (option->parse(option, entry->value, (char *)target + option->offset, building->err) <
	    0) {
		error_prefix(building->err, "'%s'", option->shown.key);
		return at_line(building, entry->line);
	}
	return 0;
}

/* Set every field of @target from its section, else from @defaults_index, else as the table says.
 */
static int apply(struct building *building, enum option_scope scope, size_t section_index,
		 size_t defaults_index, void *target)
{
	const struct config_lines *lines = &building->lines;
	const struct option *option;

	for (size_t i = 0; (option = option_at(i)); i++) {
		const char *key = option->shown.key;
		const char *fallback = option->shown.fallback;
		const struct config_entry *entry;

		if (option->scope != scope)
			continue;
		entry = config_lines_find(lines, section_index, key);
		if (!entry)
			entry = config_lines_find(lines, defaults_index, key);
		if (entry) {
			if (apply_entry(building, option, entry, target) < 0)
				return building->err->code;
		} else if (fallback) {
			if (option->parse(option, fallback, (char *)target + option->offset,
					  building->err) < 0)
				return error_prefix(building->err, "fall-back of '%s'", key);
		} else if (option->flags & OPTION_REQUIRED) {
			error_set(building->err, ERROR_USAGE, "section [%s] lacks the key '%s'",
				  lines->sections[section_index].title, key);
			return at_line(building, lines->sections[section_index].line);
		}
	}
	return 0;
}

static void release_source(struct config_source *source)
{
	for (size_t i = 0; i < source->server_count; i++)
		free(source->servers[i].host);
	free(source->user);
	free(source->credential);
	free(source->tls_ca);
	free(source->tls_certificate);
	free(source->tls_key);
	free(source->rules.require_role);
	free(source->start);
}

static void release_siem(struct config_siem *siem)
{
	free(siem->host);
	free(siem->tls_ca);
	free(siem->tls_certificate);
	free(siem->tls_key);
	free(siem->state);
}

/* [defaults] is checked by itself: a mistake in it is found even if every source overrides it. */
static int check_defaults(struct building *building)
{
	size_t section_index = building->single[KIND_DEFAULTS];
	struct config_source scratch = {.server_count = 0};
	int result = 0;

	for (size_t i = 0; i < building->lines.entry_count && result == 0; i++) {
		const struct config_entry *entry = &building->lines.entries[i];
		const struct option *option;

		if (entry->section_index != section_index)
			continue;
		option = find_option(OPTION_SOURCE, entry->key);
		ASSERT(option); /* check_section() has refused any other */
		if (option->flags & OPTION_OWN) {
			error_set(building->err, ERROR_USAGE,
				  "'%s' belongs into each [source NAME], not into [defaults]",
				  entry->key);
			result = at_line(building, entry->line);
		} else {
			result = apply_entry(building, option, entry, &scratch);
		}
	}
	release_source(&scratch);
	return result;
}

/* The line of @key in the section or in [defaults]; of the section if it stands in neither. */
static unsigned line_of(const struct building *building, size_t section_index, const char *key)
{
	const struct config_entry *entry = config_lines_find(&building->lines, section_index, key);

	if (!entry)
		entry = config_lines_find(&building->lines, building->single[KIND_DEFAULTS], key);
	return entry ? entry->line : building->lines.sections[section_index].line;
}

static bool class_exists(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->class_count; i++) {
		if (strcmp(config->classes[i].name, name) == 0)
			return true;
	}
	return false;
}

static int add_class(struct building *building, size_t section_index, const char *name)
{
	struct config *config = building->config;
	struct config_class *class = &config->classes[config->class_count];
	const char *key = NULL;

	/* One place stays free for "default". */
	if (config->class_count + 1 >= CONFIG_CLASSES_MAX) {
		error_set(building->err, ERROR_USAGE, "more than %d retention classes",
			  CONFIG_CLASSES_MAX - 1);
		return at_line(building, building->lines.sections[section_index].line);
	}
	snprintf(class->name, sizeof(class->name), "%s", name);
	if (apply(building, OPTION_RETENTION, section_index, NO_SECTION, class) < 0)
		return building->err->code;
	if (class->keep_usec < class->minimum_usec) {
		key = "minimum";
		error_set(building->err, ERROR_USAGE, "'keep' is shorter than 'minimum'");
	} else if (class->maximum_usec != 0 && class->keep_usec > class->maximum_usec) {
		key = "maximum";
		error_set(building->err, ERROR_USAGE, "'keep' is longer than 'maximum'");
	}
	if (key)
		return at_line(building, line_of(building, section_index, key));
	config->class_count++;
	return 0;
}

/* What one row of the table cannot see. Returns the key that is wrong, with its sentence set. */
static const char *check_source(struct building *building, const struct config_source *source)
{
	const struct config *config = building->config;
	struct error *err = building->err;
	char path[CONFIG_SOCKET_PATH_SIZE];

	if (!source->tls_certificate != !source->tls_key) {
		error_set(err, ERROR_USAGE,
			  "'tls-certificate' and 'tls-key' are given together or not at all");
		return source->tls_key ? "tls-key" : "tls-certificate";
	}
	if (strcmp(source->credential, "none") == 0 && !source->tls_certificate) {
		error_set(err, ERROR_USAGE,
			  "'credential = none' needs 'tls-certificate' and "
			  "'tls-key'");
		return "credential";
	}
	if (!class_exists(config, source->retention)) {
		error_set(err, ERROR_USAGE, "there is no section [retention %s]",
			  source->retention);
		return "retention";
	}
	for (size_t i = 0; i < config->source_count; i++) {
		const struct config_source *other = &config->sources[i];

		if (other != source && other->server_id == source->server_id) {
			error_set(err, ERROR_USAGE,
				  "source '%s' has the server id %u already; a server would "
				  "disconnect one of them",
				  other->name, (unsigned)source->server_id);
			return "server-id";
		}
	}
	if (config_socket_pull(config, source->name, path, err) < 0)
		return "";
	return NULL;
}

static int add_source(struct building *building, size_t section_index, const char *name)
{
	struct config *config = building->config;
	struct config_source *source = &config->sources[config->source_count];
	const char *wrong_key;

	if (config->source_count == CONFIG_SOURCES_MAX) {
		error_set(building->err, ERROR_USAGE, "more than %d sources", CONFIG_SOURCES_MAX);
		return at_line(building, building->lines.sections[section_index].line);
	}
	config->source_count++;
	snprintf(source->name, sizeof(source->name), "%s", name);
	if (apply(building, OPTION_SOURCE, section_index, building->single[KIND_DEFAULTS], source) <
	    0)
		return building->err->code;
	wrong_key = check_source(building, source);
	if (wrong_key)
		return at_line(building, line_of(building, section_index, wrong_key));
	return 0;
}

/* What stands twice would give one client what is the other's. */
static int check_addresses(const struct config *config, const struct config_client *client,
			   struct error *err)
{
	for (size_t i = 0; i < client->address_count; i++) {
		const char *address = client->addresses[i];

		for (const struct config_client *other = config->clients; other <= client;
		     other++) {
			size_t count = other == client ? i : other->address_count;

			for (size_t k = 0; k < count; k++) {
				if (strcmp(other->addresses[k], address) == 0)
					return error_set(err, ERROR_USAGE,
							 "client '%s' has the address %s already",
							 other->name, address);
			}
		}
	}
	return 0;
}

static int add_client(struct building *building, size_t section_index, const char *name)
{
	struct config *config = building->config;
	struct config_client *client = &config->clients[config->client_count];
	const char *key = NULL;

	if (config->client_count == CONFIG_CLIENTS_MAX) {
		error_set(building->err, ERROR_USAGE, "more than %d clients", CONFIG_CLIENTS_MAX);
		return at_line(building, building->lines.sections[section_index].line);
	}
	snprintf(client->name, sizeof(client->name), "%s", name);
	if (apply(building, OPTION_CLIENT, section_index, NO_SECTION, client) < 0)
		return building->err->code;
	if (check_addresses(config, client, building->err) < 0)
		key = "address";
	else if (!config->export_path) {
		error_set(building->err, ERROR_USAGE,
			  "section [client %s] needs [export] path, below which its directory lies",
			  name);
		key = "";
	}
	if (key)
		return at_line(building, line_of(building, section_index, key));
	config->client_count++;
	return 0;
}

/* Classes before sources, wherever they stand in the file. */
static int add_named(struct building *building)
{
	struct config *config = building->config;
	const char *name;

	for (size_t i = 0; i < building->lines.section_count; i++) {
		const char *title = building->lines.sections[i].title;

		if (find_kind(title, &name)->scope == OPTION_RETENTION &&
		    add_class(building, i, name) < 0)
			return building->err->code;
	}
	if (!class_exists(config, "default"))
		snprintf(config->classes[config->class_count++].name, sizeof(config->classes->name),
			 "default");
	for (size_t i = 0; i < building->lines.section_count; i++) {
		const struct section_kind *kind =
			find_kind(building->lines.sections[i].title, &name);

		if (kind->named && kind->scope == OPTION_SOURCE &&
		    add_source(building, i, name) < 0)
			return building->err->code;
		if (kind->scope == OPTION_CLIENT && add_client(building, i, name) < 0)
			return building->err->code;
	}
	return 0;
}

static int build(struct building *building)
{
	struct config *config = building->config;
	struct error *err = building->err;
	unsigned hsm_line;

	for (size_t i = 0; i < building->lines.section_count; i++) {
		if (check_section(building, i) < 0)
			return err->code;
	}
	for (size_t i = KIND_ARCHIVE; i <= KIND_HSM; i++) {
		if (building->single[i] == NO_SECTION) {
			error_set(err, ERROR_USAGE, "section [%s] is missing", kinds[i].word);
			return at_line(building, MAX(building->lines.line_count, 1u));
		}
	}
	for (size_t i = KIND_ARCHIVE; i <= KIND_SIEM; i++) {
		if (building->single[i] != NO_SECTION &&
		    apply(building, kinds[i].scope, building->single[i], NO_SECTION, config) < 0)
			return err->code;
	}
	if (!config->hsm_token_label && !config->hsm_token_serial) {
		hsm_line = building->lines.sections[building->single[KIND_HSM]].line;
		error_set(err, ERROR_USAGE,
			  "section [hsm] lacks the key 'token-label' (or 'token-serial')");
		return at_line(building, hsm_line);
	}
	if (check_defaults(building) < 0)
		return err->code;
	return add_named(building);
}

int config_parse(const char *path, const char *text, size_t size, struct config **ret_config,
		 struct error *err)
{
	CLEANUP(config_freep)
	struct config *config = calloc(1, sizeof(*config));
	struct building building = {.config = config, .err = err};
	int result;

	ASSERT(config);
	config->path = strdup(path);
	ASSERT(config->path);
	for (size_t i = 0; i < ARRAY_LENGTH(building.single); i++)
		building.single[i] = NO_SECTION;
	result = config_lines_parse(&building.lines, path, text, size, err);
	if (result == 0)
		result = build(&building);
	config_lines_release(&building.lines);
	if (result < 0)
		return result;
	*ret_config = TAKE(config);
	return 0;
}

int config_read(const char *path, char **ret_text, size_t *ret_size, struct error *err)
{
	CLEANUP(close_fdp)
	/* Not blocking: a FIFO in this place must be a sentence, not a program that hangs. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	CLEANUP(freep)
	char *text = NULL;
	struct stat info;
	size_t size = 0;
	ssize_t got;

	if (fd < 0)
		return error_set_errno(err, ERROR_USAGE, errno, "configuration '%s'", path);
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size > CONFIG_FILE_SIZE_MAX)
		return error_set(err, ERROR_USAGE,
				 "configuration '%s' is not a regular file of at most %u bytes",
				 path, CONFIG_FILE_SIZE_MAX);
	/* One byte more than allowed: a file that grows meanwhile is found out by config_parse().
	 */
	text = malloc(CONFIG_FILE_SIZE_MAX + 1);
	ASSERT(text);
	while ((got = read(fd, text + size, CONFIG_FILE_SIZE_MAX + 1 - size)) > 0)
		size += (size_t)got;
	if (got < 0)
		return error_set_errno(err, ERROR_USAGE, errno, "reading '%s'", path);
	*ret_text = TAKE(text);
	*ret_size = size;
	return 0;
}

int config_load(const char *path, struct config **ret_config, struct error *err)
{
	CLEANUP(freep)
	char *text = NULL;
	size_t size;

	if (config_read(path, &text, &size, err) < 0)
		return err->code;
	return config_parse(path, text, size, ret_config, err);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->volume_count; i++)
		free(config->volumes[i]);
	for (size_t i = 0; i < config->source_count; i++)
		release_source(&config->sources[i]);
	free(config->path);
	free(config->name);
	free(config->runtime);
	free(config->hsm_module);
	free(config->hsm_token_label);
	free(config->hsm_token_serial);
	free(config->hsm_state);
	free(config->hsm_pin_source);
	free(config->export_path);
	free(config->access_operate);
	free(config->access_restore);
	release_siem(&config->siem);
	free(config);
}

const struct config_source *config_find_source(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->source_count; i++) {
		if (strcmp(config->sources[i].name, name) == 0)
			return &config->sources[i];
	}
	return NULL;
}

const struct config_client *config_find_client(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->client_count; i++) {
		if (strcmp(config->clients[i].name, name) == 0)
			return &config->clients[i];
	}
	return NULL;
}

static int socket_path(const struct config *config, const char *prefix, const char *name,
		       char path[static CONFIG_SOCKET_PATH_SIZE], struct error *err)
{
	int length = snprintf(path, CONFIG_SOCKET_PATH_SIZE, "%s/%s%s.sock", config->runtime,
			      prefix, name);

	if (length < 0 || length >= CONFIG_SOCKET_PATH_SIZE)
		return error_set(err, ERROR_USAGE,
				 "the socket '%s/%s%s.sock' has a path of more than %d characters; "
				 "choose a shorter 'runtime'",
				 config->runtime, prefix, name, CONFIG_SOCKET_PATH_SIZE - 1);
	return 0;
}

int config_socket_pull(const struct config *config, const char *source,
		       char path[static CONFIG_SOCKET_PATH_SIZE], struct error *err)
{
	return socket_path(config, "pull-", source, path, err);
}

int config_socket(const struct config *config, const char *name,
		  char path[static CONFIG_SOCKET_PATH_SIZE], struct error *err)
{
	return socket_path(config, "", name, path, err);
}
