/*
 * binvault-firmware-check VERB: compare what was recorded on a server, or what its BMC says now,
 * with the data of firmware-config/. It reads; it changes nothing on any server.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <curl/curl.h>

#include "base/checked.h"
#include "base/json.h"
#include "base/units.h"
#include "check/cmdline.h"
#include "check/drift.h"
#include "check/evidence.h"
#include "check/finding.h"
#include "check/hsi.h"
#include "check/intent.h"
#include "check/pci.h"
#include "check/pcr_policy.h"
#include "check/redfish.h"
#include "check/registry.h"
#include "check/secureboot.h"

#define PROGRAM	    "binvault-firmware-check"
#define HSI_FORMAT  "binvault-hsi-targets-1"
#define EXIT_USAGE  2
#define OPTIONS_MAX 12

struct option_value {
	const char *name, *value;
};

struct request {
	const struct verb *verb;
	struct option_value options[OPTIONS_MAX];
	size_t option_count;
	bool json;
};

struct verb {
	const char *name, *summary;
	const char *options; /* "--needed FILE [--may-be FILE] [--switch]", what parsing goes by */
	/* Adds findings; 0 or a negative ERROR_*. */
	int (*run)(const struct request *request, struct findings *findings, struct error *err);
};

static const char *option(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->option_count; i++) {
		if (strcmp(request->options[i].name, name) == 0)
			return request->options[i].value;
	}
	return NULL;
}

static int load_intent(const struct request *request, struct intent *intent, struct error *err)
{
	return intent_load(option(request, "intent"), option(request, "map"), intent, err);
}

static int run_registry(const struct request *request, struct findings *findings, struct error *err)
{
	CLEANUP(intent_release)
	struct intent intent = {0};
	CLEANUP(json_decrefp)
	json_t *registry = NULL;
	CLEANUP(json_decrefp)
	json_t *bios = NULL;
	int r = load_intent(request, &intent, err);

	if (r == 0)
		r = evidence_read_json(option(request, "registry"), &registry, err);
	if (r == 0 && option(request, "bios"))
		r = evidence_read_json(option(request, "bios"), &bios, err);
	if (r == 0)
		r = registry_check(&intent, registry, bios, findings, err);
	return r;
}

static struct redfish_service service_of(const struct request *request)
{
	return (struct redfish_service){.url = option(request, "service"),
					.authority = option(request, "authority"),
					.user = option(request, "user"),
					.password_path = option(request, "password-file"),
					.system = option(request, "system")};
}

static int check_service(const struct redfish_service *service, struct error *err)
{
	if (!service->url || !service->authority || !service->user || !service->password_path)
		return error_set(err, ERROR_USAGE,
				 "a live service needs --service, --authority, --user and "
				 "--password-file");
	return 0;
}

static int run_drift(const struct request *request, struct findings *findings, struct error *err)
{
	CLEANUP(intent_release)
	struct intent intent = {0};
	CLEANUP(recording_release)
	struct recording recording = {0};
	const struct redfish_service service = service_of(request);
	int r = load_intent(request, &intent, err);

	if (r < 0)
		return r;
	if (!option(request, "recorded") == !service.url)
		return error_set(err, ERROR_USAGE, "give either --recorded DIR or --service URL");
	if (service.url) {
		r = check_service(&service, err);
		if (r == 0)
			r = redfish_record(&service, &recording, err);
	} else {
		r = recording_load(option(request, "recorded"), &recording, err);
	}
	if (r == 0)
		drift_check(&intent, &recording, findings);
	return r;
}

static int run_record(const struct request *request, struct findings *findings, struct error *err)
{
	CLEANUP(recording_release)
	struct recording recording = {0};
	const struct redfish_service service = service_of(request);
	int r = check_service(&service, err);

	if (r == 0)
		r = redfish_record(&service, &recording, err);
	if (r == 0)
		r = recording_save(&recording, option(request, "to"), err);
	for (size_t i = 0; r == 0 && recording_files[i]; i++) {
		findings_count(findings);
		if (!*recording_slot(&recording, i))
			findings_add(findings, FINDING_DEFECT, recording_files[i],
				     "look for it in the vendor's documentation, check it by hand",
				     "the service does not have it");
	}
	return r;
}

static int run_hsi(const struct request *request, struct findings *findings, struct error *err)
{
	CLEANUP(json_decrefp)
	json_t *targets = NULL;
	CLEANUP(json_decrefp)
	json_t *security = NULL;
	int r = evidence_read_format(option(request, "targets"), HSI_FORMAT, &targets, err);

	if (r == 0)
		r = evidence_read_json(option(request, "security"), &security, err);
	if (r == 0)
		r = hsi_check(targets, security, findings, err);
	return r;
}

static int run_cmdline(const struct request *request, struct findings *findings, struct error *err)
{
	return cmdline_check(option(request, "table"), option(request, "cmdline"), findings, err);
}

static int run_pci(const struct request *request, struct findings *findings, struct error *err)
{
	return pci_check(option(request, "allow"), option(request, "lspci"), findings, err);
}

static int now_of(const struct request *request, uint64_t *ret_usec, struct error *err)
{
	if (option(request, "now"))
		return time_parse(option(request, "now"), ret_usec, err);
	*ret_usec = (uint64_t)time(NULL) * USEC_PER_SEC;
	return 0;
}

static int run_secureboot(const struct request *request, struct findings *findings,
			  struct error *err)
{
	struct secureboot_question question = {.variables = option(request, "variables"),
					       .owner_path = option(request, "owner"),
					       .expected = option(request, "expected"),
					       .dbx_list = option(request, "dbx-list"),
					       .option_roms = option(request, "option-roms"),
					       .test_keys = option(request, "test-keys") != NULL};
	int r = now_of(request, &question.now_usec, err);

	return r < 0 ? r : secureboot_check(&question, findings, err);
}

static int run_tpm(const struct request *request, struct findings *findings, struct error *err)
{
	const struct tpm_question question = {.policy = option(request, "policy"),
					      .luks = option(request, "luks"),
					      .signature = option(request, "signature"),
					      .public_key = option(request, "public-key"),
					      .pcr11 = option(request, "pcr11")};

	if (!question.signature != !question.public_key)
		return error_set(err, ERROR_USAGE, "--signature and --public-key belong together");
	if (question.pcr11 && !question.signature)
		return error_set(err, ERROR_USAGE, "--pcr11 is compared with --signature");
	return tpm_check(&question, findings, err);
}

#define SERVICE_OPTIONS                                                                            \
	"[--service URL] [--authority FILE] [--user NAME] [--password-file FILE] [--system ID]"

static const struct verb verbs[] = {
	{"registry", "can the intent be set on boxes that this attribute registry describes?",
	 "--intent FILE --map FILE --registry FILE [--bios FILE]", run_registry},
	{"record", "save what a BMC says (read only) as files for registry and drift",
	 "--to DIR " SERVICE_OPTIONS, run_record},
	{"drift", "is a box set as the intent says? from a recording, or live",
	 "--intent FILE --map FILE [--recorded DIR] " SERVICE_OPTIONS, run_drift},
	{"hsi", "does the platform reach the host security level of the targets?",
	 "--targets FILE --security FILE", run_hsi},
	{"cmdline",
	 "has each word of the kernel command line its reason, and each reason its word?",
	 "--table FILE --cmdline FILE", run_cmdline},
	{"pci", "are there only cards of classes that a vault may have?",
	 "--allow FILE --lspci FILE", run_pci},
	{"secureboot",
	 "do firmware variables, or lists to enrol, trust our keys and nobody else's?",
	 "--variables DIR --owner FILE --dbx-list FILE --option-roms FILE [--expected DIR] "
	 "[--test-keys] [--now TIME]",
	 run_secureboot},
	{"tpm", "is the seal of the data volume the policy's, and has it a recovery key?",
	 "--policy FILE [--luks FILE] [--signature FILE] [--public-key FILE] [--pcr11 HEX]",
	 run_tpm},
};

static void print_help(FILE *out)
{
	fputs("Usage: " PROGRAM " VERB OPTIONS [--output=text|json]\n\n"
	      "Compares recordings of a server's firmware, or its BMC, with firmware-config/.\n"
	      "Reads only. Exit status: 0 in order, 2 usage, 3 evidence incomplete or malformed,\n"
	      "4 not permitted, 5 unavailable, 6 attention.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
		fprintf(out, "%s: %s\n    %s\n", verbs[i].name, verbs[i].summary, verbs[i].options);
}

/* Where the verb's option text has "--NAME" as a whole word, or NULL. */
static const char *find_option(const struct verb *verb, const char *name, size_t length)
{
	const char *at = verb->options;

	while ((at = strstr(at, "--"))) {
		at += 2;
		if (strncmp(at, name, length) == 0 && strchr(" ]", at[length]))
			return at + length;
	}
	return NULL;
}

static int parse_option(struct request *request, char **argv, int *index, struct error *err)
{
	char *name = argv[*index] + 2;
	char *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const char *form = find_option(request->verb, name, length);
	struct option_value *option = &request->options[request->option_count];

	if (strncmp(argv[*index], "--", 2) != 0 || !length || !form)
		return error_set(err, ERROR_USAGE, "%s does not know '%.60s'; it takes %s",
				 request->verb->name, argv[*index], request->verb->options);
	if (request->option_count == OPTIONS_MAX)
		return error_set(err, ERROR_USAGE, "too many options");
	if (*form == ']') { /* a switch */
		option->value = equals ? NULL : "";
	} else if (equals) {
		option->value = equals + 1;
	} else {
		option->value = argv[*index + 1];
		*index += option->value ? 1 : 0;
	}
	if (equals)
		*equals = '\0';
	option->name = name;
	request->option_count++;
	if (!option->value)
		return error_set(err, ERROR_USAGE, "--%s %s", name,
				 *form == ']' ? "takes no value" : "needs a value");
	return 0;
}

/* Every option of the verb's text that stands in no brackets is there. */
static int require_options(const struct request *request, struct error *err)
{
	const char *at = request->verb->options;

	while ((at = strstr(at, "--"))) {
		const bool needed = at == request->verb->options || at[-1] != '[';
		char name[32];

		at += 2;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, " ]"), at);
		if (needed && !option(request, name))
			return error_set(err, ERROR_USAGE, "%s needs --%s; it takes %s",
					 request->verb->name, name, request->verb->options);
	}
	return 0;
}

static int parse(int argc, char **argv, struct request *ret_request, struct error *err)
{
	struct request request = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++) {
		if (strcmp(verbs[i].name, argv[1]) == 0)
			request.verb = &verbs[i];
	}
	if (!request.verb)
		return error_set(err, ERROR_USAGE, "there is no verb '%.40s'; see --help", argv[1]);
	for (int i = 2; i < argc; i++) {
		int r = 0;

		if (strcmp(argv[i], "--output=json") == 0)
			request.json = true;
		else if (strcmp(argv[i], "--output=text") == 0)
			request.json = false;
		else
			r = parse_option(&request, argv, &i, err);
		if (r < 0)
			return r;
	}
	*ret_request = request;
	return require_options(&request, err);
}

static int report(const struct request *request, struct error *err)
{
	CLEANUP(findings_release)
	struct findings findings = {0};
	int r;

	findings_init(&findings);
	r = request->verb->run(request, &findings, err);
	if (r < 0)
		return r;
	if (request->json)
		findings_print_json(&findings, request->verb->name, stdout);
	else
		findings_print_text(&findings, request->verb->name, stdout);
	if (fflush(stdout) != 0)
		return error_set(err, ERROR_IO, "standard output cannot be written");
	return findings_status(&findings);
}

int main(int argc, char **argv)
{
	struct request request = {0};
	struct error err = {0};
	int r;

	umask(022);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : 0;
	}
	r = parse(argc, argv, &request, &err);
	if (r == 0) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		r = report(&request, &err);
		curl_global_cleanup();
	}
	if (r >= 0)
		return r;
	fprintf(stderr, PROGRAM ": %s\n", err.message);
	/* A file that was named and is not there is the caller's mistake. */
	return err.code == ERROR_NOT_FOUND || err.code == ERROR_EXISTS
		       ? EXIT_USAGE
		       : error_exit_status(err.code);
}
