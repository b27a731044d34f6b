/*
 * A SoftHSM2 token of the test's own in a temporary directory, and what a test needs to do behind
 * the back of hsm/: a raw PKCS#11 session. Include after unit/cmocka_prelude.h.
 */
#pragma once

#include <dlfcn.h>
#include <ftw.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <p11-kit-1/p11-kit/pkcs11.h>

#include "hsm/token.h"

#define MODULE	    "/usr/lib/softhsm/libsofthsm2.so"
#define TOOL	    "/usr/bin/softhsm2-util"
#define TOKEN_LABEL "vault under test"
#define PIN	    "4711-0815-PIN"
#define WRONG_PIN   "9999-wrong-PIN"
#define SO_PIN	    "so-31415926"

/* PKCS#11 and posix_spawn take pointers to what they do not change. */
#pragma GCC diagnostic ignored "-Wcast-qual"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_disable() (void)0
#define __lsan_enable()	 (void)0
#endif

extern char **environ;

struct fixture {
	char directory[64];
	struct token_options options;
};

static inline int remove_entry(const char *path, const struct stat *status, int type,
			       struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void fixture_path(const struct fixture *fixture, const char *name, char *path,
				size_t size)
{
	assert_true((size_t)snprintf(path, size, "%s/%s", fixture->directory, name) < size);
}

static inline void fixture_run(const char *const *arguments)
{
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t child;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawn(&child, arguments[0], &actions, NULL, (char *const *)arguments,
				     environ),
			 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* One more token in the fixture's directory. */
static inline void fixture_add_token(const char *label)
{
	const char *const arguments[] = {
		TOOL, "--init-token", "--free", "--label", label, "--pin",
		PIN,  "--so-pin",     SO_PIN,	NULL,
	};

	fixture_run(arguments);
}

/* An empty place for tokens; SOFTHSM2_CONF points there. */
static inline struct fixture *fixture_new(void)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char path[128];
	FILE *file;

	assert_non_null(fixture);
	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/binvault-hsm-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	fixture->options = (struct token_options){.module = MODULE, .label = TOKEN_LABEL};
	fixture_path(fixture, "tokens", path, sizeof(path));
	assert_int_equal(mkdir(path, 0700), 0);
	fixture_path(fixture, "softhsm2.conf", path, sizeof(path));
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"directories.tokendir = %s/tokens\nobjectstore.backend = file\n"
		"log.level = ERROR\nslots.removable = false\n",
		fixture->directory);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
	return fixture;
}

static inline void fixture_free(struct fixture *fixture)
{
	nftw(fixture->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	unsetenv("SOFTHSM2_CONF");
	free(fixture);
}

static inline int fixture_setup(void **state)
{
	struct fixture *fixture = fixture_new();

	fixture_add_token(TOKEN_LABEL);
	*state = fixture;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* Said once, before any test; the check counts it as a test that did not run. */
static inline bool fixture_missing(void)
{
	const char *missing = access(MODULE, R_OK) != 0 ? MODULE
			      : access(TOOL, X_OK) != 0 ? TOOL
							: NULL;

	if (missing)
		printf("SKIPPED: %s is missing; install the package softhsm2\n", missing);
	return missing != NULL;
}

static inline void make_secret(const char *text, struct secret *ret_secret)
{
	struct error err = {0};

	assert_ok(secret_init(ret_secret, strlen(text), &err), &err);
	memcpy(ret_secret->bytes, text, strlen(text));
}

/* No sentence may hold a PIN, right or wrong. */
#define assert_fails_discreetly(call, err, expected_code, words)                                   \
	do {                                                                                       \
		assert_fails(call, err, expected_code, words);                                     \
		assert_null(strstr((err)->message, PIN));                                          \
		assert_null(strstr((err)->message, WRONG_PIN));                                    \
	} while (0)

/* --- behind the back of hsm/ ----------------------------------------------------------------- */

struct raw {
	void *library;
	CK_FUNCTION_LIST *functions;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
};

static inline CK_SLOT_ID raw_slot(const struct raw *raw, const char *label)
{
	CK_SLOT_ID slots[16];
	CK_ULONG count = 16;
	CK_TOKEN_INFO info;

	assert_int_equal(raw->functions->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
	for (CK_ULONG i = 0; i < count; i++) {
		assert_int_equal(raw->functions->C_GetTokenInfo(slots[i], &info), CKR_OK);
		if (memcmp(info.label, label, strlen(label)) == 0)
			return slots[i];
	}
	fail_msg("no token %s", label);
	return 0;
}

static inline struct raw raw_open(const char *label)
{
	CK_C_GetFunctionList get_function_list;
	struct raw raw = {.library = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL)};

	assert_non_null(raw.library);
	*(void **)&get_function_list = dlsym(raw.library, "C_GetFunctionList");
	assert_int_equal(get_function_list(&raw.functions), CKR_OK);
	assert_int_equal(raw.functions->C_Initialize(NULL), CKR_OK);
	raw.slot = raw_slot(&raw, label);
	assert_int_equal(raw.functions->C_OpenSession(raw.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
						      NULL, NULL, &raw.session),
			 CKR_OK);
	assert_int_equal(raw.functions->C_Login(raw.session, CKU_USER, (CK_BYTE *)PIN, strlen(PIN)),
			 CKR_OK);
	return raw;
}

static inline void raw_close(struct raw *raw)
{
	assert_int_equal(raw->functions->C_Finalize(NULL), CKR_OK);
	dlclose(raw->library);
}

/* The first object of this class and label. */
static inline CK_OBJECT_HANDLE raw_find(const struct raw *raw, CK_OBJECT_CLASS class,
					const char *label)
{
	CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
				   {CKA_LABEL, (char *)label, strlen(label)}};
	CK_OBJECT_HANDLE object;
	CK_ULONG count;

	assert_int_equal(raw->functions->C_FindObjectsInit(raw->session, template, 2), CKR_OK);
	assert_int_equal(raw->functions->C_FindObjects(raw->session, &object, 1, &count), CKR_OK);
	assert_int_equal(raw->functions->C_FindObjectsFinal(raw->session), CKR_OK);
	assert_int_equal(count, 1);
	return object;
}

/* What a crash in the middle of an initialisation leaves. */
static inline void raw_destroy(CK_OBJECT_CLASS class, const char *label)
{
	struct raw raw = raw_open(TOKEN_LABEL);

	assert_int_equal(raw.functions->C_DestroyObject(raw.session, raw_find(&raw, class, label)),
			 CKR_OK);
	raw_close(&raw);
}

/* A key pair as somebody else might make it: @id NULL for none, @sensitive also unextractable. */
static inline CK_RV raw_generate(CK_MECHANISM_TYPE type, const void *parameters,
				 CK_ULONG parameters_size, const char *label, const char *id,
				 bool sensitive)
{
	struct raw raw = raw_open(TOKEN_LABEL);
	CK_MECHANISM mechanism = {type, NULL, 0};
	CK_BBOOL yes = CK_TRUE, guarded = sensitive, open = !sensitive;
	CK_ATTRIBUTE public_template[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_ID, (char *)id, id ? strlen(id) : 0},
		{CKA_LABEL, (char *)label, strlen(label)},
		{CKA_VERIFY, &yes, sizeof(yes)},
		{CKA_EC_PARAMS, (void *)parameters, parameters_size},
	};
	CK_ATTRIBUTE private_template[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_ID, (char *)id, id ? strlen(id) : 0},
		{CKA_SENSITIVE, &guarded, sizeof(guarded)},
		{CKA_EXTRACTABLE, &open, sizeof(open)},
		{CKA_PRIVATE, &yes, sizeof(yes)},
		{CKA_LABEL, (char *)label, strlen(label)},
		{CKA_SIGN, &yes, sizeof(yes)},
	};
	CK_OBJECT_HANDLE public_key, private_key;
	CK_RV result;

	__lsan_disable(); /* SoftHSM 2.6 loses the parameters of an Edwards key */
	result = raw.functions->C_GenerateKeyPair(raw.session, &mechanism, public_template, 5,
						  private_template, 7, &public_key, &private_key);
	__lsan_enable();
	raw_close(&raw);
	return result;
}
