#include "check/redfish.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <curl/curl.h>

#include "base/json.h"
#include "base/secret.h"
#include "check/evidence.h"

#define PATH_LENGTH_MAX	    1024
#define PASSWORD_LENGTH_MAX 256

struct session {
	const char *url;
	size_t url_length; /* without a slash at its end */
	CURL *curl;
	char reason[CURL_ERROR_SIZE];
	char password[PASSWORD_LENGTH_MAX + 2];
};

struct answer {
	char *bytes;
	size_t size;
};

static void session_release(struct session *session)
{
	if (session->curl)
		curl_easy_cleanup(session->curl);
	secret_wipe(session->password, sizeof(session->password));
}

static void answer_release(struct answer *answer)
{
	free(answer->bytes);
}

/* Scheme, host and port, so that nothing of the URL can change which path is asked for. */
static int check_url(const char *url, size_t *ret_length, struct error *err)
{
	static const char scheme[] = "https://";
	const char *host = url + sizeof(scheme) - 1;
	size_t length;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return error_set(err, ERROR_USAGE,
				 "'%.80s' does not begin with https://, and only that is verified",
				 url);
	length = strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			      ".-:[]");
	if (length == 0 || (host[length] && strcmp(host + length, "/") != 0))
		return error_set(err, ERROR_USAGE,
				 "'%.80s' is more than https://HOST or https://HOST:PORT", url);
	*ret_length = sizeof(scheme) - 1 + length;
	return 0;
}

static int read_password(const char *path, char password[PASSWORD_LENGTH_MAX + 2],
			 struct error *err)
{
	FILE *file = fopen(path, "re");
	struct stat status;
	size_t length;
	int r = 0;

	if (!file)
		return error_set_errno(err, ERROR_USAGE, errno, "opening password file '%s'", path);
	if (fstat(fileno(file), &status) < 0 || (status.st_mode & (S_IRWXG | S_IRWXO)))
		r = error_set(err, ERROR_USAGE,
			      "password file '%s' can be read by others: chmod 600 it", path);
	setvbuf(file, NULL, _IONBF, 0);
	length = fread(password, 1, PASSWORD_LENGTH_MAX + 1, file);
	fclose(file);
	password[length] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	if (r == 0 && (!*password || strlen(password) > PASSWORD_LENGTH_MAX))
		r = error_set(err, ERROR_USAGE,
			      "password file '%s' does not hold one line of 1 to %d bytes", path,
			      PASSWORD_LENGTH_MAX);
	return r;
}

static size_t take_bytes(char *bytes, size_t unit, size_t count, void *context)
{
	struct answer *answer = context;
	size_t size = unit * count; /* unit is 1, says libcurl */
	char *larger;

	if (size > EVIDENCE_SIZE_MAX - answer->size)
		return 0;
	larger = realloc(answer->bytes, answer->size + size + 1);
	ASSERT(larger);
	memcpy(larger + answer->size, bytes, size);
	answer->bytes = larger;
	answer->size += size;
	return size;
}

static int set_up(struct session *session, const struct redfish_service *service, struct error *err)
{
	CURL *curl = curl_easy_init();
	CURLcode code = CURLE_OK;

	ASSERT(curl);
	session->curl = curl;
#define SET(option, value)                                                                         \
	do {                                                                                       \
		if (code == CURLE_OK)                                                              \
			code = curl_easy_setopt(curl, option, value);                              \
	} while (0)
	SET(CURLOPT_ERRORBUFFER, session->reason);
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_CAINFO, service->authority);
	SET(CURLOPT_CAPATH, NULL); /* that authority and no other */
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NOPROXY, "*"); /* the environment does not choose who sees the password */
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_TIMEOUT, (long)REDFISH_SECONDS_MAX);
	SET(CURLOPT_ACCEPT_ENCODING, ""); /* HPE sends registries compressed */
	SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	SET(CURLOPT_USERNAME, service->user);
	SET(CURLOPT_PASSWORD, session->password);
	SET(CURLOPT_WRITEFUNCTION, take_bytes);
#undef SET
	if (code != CURLE_OK)
		return error_set(err, ERROR_FAILED, "libcurl refuses an option: %s",
				 curl_easy_strerror(code));
	return 0;
}

/* A link within the service: from its root, and nothing that climbs out or needs decoding. */
static int check_path(const char *path, struct error *err)
{
	if (strncmp(path, "/redfish/v1", 11) != 0 || strlen(path) > PATH_LENGTH_MAX ||
	    strstr(path, "..") ||
	    strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789/._-~()$:,+=") != strlen(path))
		return error_set(err, ERROR_DEFECT, "link '%.120s' does not stay in /redfish/v1",
				 path);
	return 0;
}

static int judge_transfer(struct session *session, CURLcode code, const char *path,
			  struct error *err)
{
	const char *reason = *session->reason ? session->reason : curl_easy_strerror(code);
	long status = 0;

	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
		return error_set(
			err, ERROR_REFUSED,
			"the service's certificate is not accepted: %s. Give the authority "
			"that signed it and its right host name",
			reason);
	if (code == CURLE_WRITE_ERROR)
		return error_set(err, ERROR_DEFECT, "'%s' is more than %u bytes", path,
				 EVIDENCE_SIZE_MAX);
	if (code != CURLE_OK)
		return error_set(err, ERROR_UNAVAILABLE, "'%s' cannot be fetched: %s", path,
				 reason);
	curl_easy_getinfo(session->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 401 || status == 403)
		return error_set(err, ERROR_REFUSED,
				 "the service answers %ld for '%s': check user, password and role",
				 status, path);
	if (status == 404)
		return error_set(err, ERROR_NOT_FOUND, "the service has no '%s'", path);
	if (status >= 300 && status < 400)
		return error_set(err, ERROR_DEFECT,
				 "the service sends '%s' elsewhere (%ld): name the final address",
				 path, status);
	if (status != 200)
		return error_set(err, ERROR_UNAVAILABLE, "the service answers %ld for '%s'", status,
				 path);
	return 0;
}

static int get(struct session *session, const char *path, json_t **ret_object, struct error *err)
{
	CLEANUP(answer_release)
	struct answer answer = {0};
	char url[PATH_LENGTH_MAX + 512];
	CURLcode code;
	int r = check_path(path, err);

	if (r < 0)
		return r;
	if (snprintf(url, sizeof(url), "%.*s%s", (int)session->url_length, session->url, path) >=
	    (int)sizeof(url))
		return error_set(err, ERROR_USAGE, "the address is too long");
	session->reason[0] = '\0';
	code = curl_easy_setopt(session->curl, CURLOPT_URL, url);
	if (code == CURLE_OK)
		code = curl_easy_setopt(session->curl, CURLOPT_WRITEDATA, &answer);
	if (code == CURLE_OK)
		code = curl_easy_perform(session->curl);
	r = judge_transfer(session, code, path, err);
	if (r < 0)
		return r;
	r = json_parse(answer.bytes ? answer.bytes : "", answer.size, ret_object, err);
	return r < 0 ? error_prefix(err, "'%s'", path) : 0;
}

/* The address behind @object's @key, or NULL. */
static const char *link_of(const json_t *object, const char *key)
{
	return json_string_value(
		json_object_get(key ? json_object_get(object, key) : object, "@odata.id"));
}

/* What @key of @object links to; nothing, and no error, if it links to nothing that is there. */
static int follow(struct session *session, const json_t *object, const char *key,
		  json_t **ret_object, struct error *err)
{
	const char *path = link_of(object, key);
	int r = path ? get(session, path, ret_object, err) : 0;

	return r == ERROR_NOT_FOUND ? 0 : r;
}

/* The last part of a link: the Id of what it leads to. */
static const char *id_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int find_system(struct session *session, const json_t *root, const char *wanted,
		       json_t **ret_system, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *systems = NULL;
	const json_t *members, *member;
	const char *path = NULL;
	size_t index;
	int r = follow(session, root, "Systems", &systems, err);

	if (r < 0)
		return r;
	members = json_object_get(systems, "Members");
	if (!wanted && json_array_size(members) != 1)
		return error_set(err, ERROR_USAGE,
				 "the service has %zu systems: name one with --system",
				 json_array_size(members));
	json_array_foreach(members, index, member)
	{
		const char *link = link_of(member, NULL);

		if (link && (!wanted || strcmp(id_of(link), wanted) == 0))
			path = link;
	}
	if (!path)
		return error_set(err, ERROR_USAGE, "the service has no system '%.60s'",
				 wanted ? wanted : "");
	return get(session, path, ret_system, err);
}

/* The network protocols of the first manager that has any. */
static int find_protocols(struct session *session, const json_t *root, json_t **ret_protocols,
			  struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *managers = NULL;
	const json_t *member;
	size_t index;
	int r = follow(session, root, "Managers", &managers, err);

	json_array_foreach(json_object_get(managers, "Members"), index, member)
	{
		CLEANUP(json_decrefp)
		json_t *manager = NULL;

		if (r == 0)
			r = follow(session, member, NULL, &manager, err);
		if (r == 0)
			r = follow(session, manager, "NetworkProtocol", ret_protocols, err);
		if (r < 0 || *ret_protocols)
			return r;
	}
	return r;
}

/* Where a registry's file lies: the English one, or the only one. */
static const char *registry_uri(const json_t *file)
{
	const json_t *locations = json_object_get(file, "Location");
	const char *uri = json_string_value(json_object_get(json_array_get(locations, 0), "Uri"));
	const json_t *location;
	size_t index;

	json_array_foreach(locations, index, location)
	{
		const char *language = json_string_value(json_object_get(location, "Language"));

		if (language && strncmp(language, "en", 2) == 0)
			uri = json_string_value(json_object_get(location, "Uri"));
	}
	return uri;
}

static int find_registry(struct session *session, const json_t *root, const json_t *bios,
			 json_t **ret_registry, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *registries = NULL;
	const char *name = json_string_value(json_object_get(bios, "AttributeRegistry"));
	const json_t *member;
	size_t index;
	int r = name ? follow(session, root, "Registries", &registries, err) : 0;

	json_array_foreach(json_object_get(registries, "Members"), index, member)
	{
		CLEANUP(json_decrefp)
		json_t *file = NULL;
		const char *link = link_of(member, NULL);

		if (r < 0)
			break;
		if (!link || strcmp(id_of(link), name) != 0)
			continue;
		r = get(session, link, &file, err);
		if (r == 0 && registry_uri(file))
			return get(session, registry_uri(file), ret_registry, err);
	}
	return r;
}

static int record(struct session *session, const char *system_id, struct recording *recording,
		  struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *root = NULL;
	int r = get(session, "/redfish/v1/", &root, err);

	if (r == 0)
		r = find_system(session, root, system_id, &recording->system, err);
	if (r == 0)
		r = follow(session, recording->system, "Bios", &recording->bios, err);
	if (r == 0)
		r = follow(session, recording->system, "SecureBoot", &recording->secure_boot, err);
	if (r == 0)
		r = find_protocols(session, root, &recording->network_protocol, err);
	if (r == 0)
		r = find_registry(session, root, recording->bios, &recording->registry, err);
	return r;
}

int redfish_record(const struct redfish_service *service, struct recording *ret_recording,
		   struct error *err)
{
	CLEANUP(session_release)
	struct session session = {.url = service->url};
	struct recording recording = {0};
	int r = check_url(service->url, &session.url_length, err);

	if (r == 0)
		r = read_password(service->password_path, session.password, err);
	if (r == 0)
		r = set_up(&session, service, err);
	if (r == 0)
		r = record(&session, service->system, &recording, err);
	if (r < 0) {
		recording_release(&recording);
		return error_prefix(err, "Redfish service '%.80s'", service->url);
	}
	*ret_recording = recording;
	return 0;
}
