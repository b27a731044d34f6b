#include "unit/store/store_fixture.h"

#include "base/json.h"

static json_t *preflight_sample(void)
{
	struct preflight_record preflight = {
		.source = "orders",
		.server = "db1:3306",
		.checked_usec = 5,
		.ends_usec = {UINT64_MAX, 1, 0},
		.rules = json_pack("[{s:s,s:s,s:s,s:s}]", "rule", "sync-binlog", "key",
				   "require-sync-binlog", "verdict", "warning", "sentence",
				   "sync_binlog is 0"),
	};
	json_t *object = preflight_record_encode(&preflight);

	preflight_record_release(&preflight);
	return object;
}

static json_t *config_sample(const char *type)
{
	struct config_record config = {
		.version = "0.1.0", .isolation = "users", .worm = WORM_ADVISORY};
	struct config_record bundled = {.version = "0.1.0",
					.isolation = "users",
					.bundle_version = UINT64_MAX,
					.bundle_hash = {{1}}};
	struct config_refused_record refused = {.refused_usec = 1700000000000000u,
						.version = 7,
						.hashed = true,
						.hash = {{2}},
						.uid = 7,
						.sentence = "too old"};

	if (strcmp(type, "config of a bundle") == 0)
		return config_record_encode(&bundled);
	if (strcmp(type, "config-refused") == 0)
		return config_refused_record_encode(&refused);
	return config_record_encode(&config);
}

static json_t *request_sample(const char *type)
{
	struct request_record request = {.id = "R-7F3A",
					 .kind = REQUEST_RESTORE,
					 .uid = 1000,
					 .source = "orders",
					 .to = "INC-4711",
					 .client = "restore1",
					 .keep_usec = UINT64_MAX,
					 .limit = REQUEST_LIMIT_POSITION,
					 .limit_file = "binlog.000002",
					 .limit_position = 77,
					 .reason = "lost table"};
	struct approved_record approved = {.request = "R-7F3A", .by = "policy"};
	struct exported_record exported = {.request = "R-7F3A",
					   .manifest = true,
					   .signature_size = 3,
					   .signature = {1, 2, 3},
					   .until_file = "binlog.000002",
					   .client = "restore1",
					   .to = "INC-4711",
					   .form = REQUEST_TAR,
					   .end_usec = 1700000000000000u};
	struct withdrawn_record withdrawn = {
		.request = "R-7F3A", .by_person = true, .uid = 7, .reason = "done"};
	struct export_failed_record failed = {.request = "R-7F3A", .sentence = "no"};

	if (strcmp(type, "request") == 0)
		return request_record_encode(&request);
	if (strcmp(type, "approved") == 0)
		return approved_record_encode(&approved);
	if (strcmp(type, "exported") == 0)
		return exported_record_encode(&exported);
	if (strcmp(type, "withdrawn") == 0)
		return withdrawn_record_encode(&withdrawn);
	if (strcmp(type, "export-failed") == 0)
		return export_failed_record_encode(&failed);
	return NULL;
}

/* One good object per type, as leaves hold them. */
static json_t *sample(const char *type)
{
	struct segment_sealed_record sealed = {
		.opened_index = 7,
		.source = "orders",
		.binlog_file = "binlog.000001",
		.path = "segments/orders/2026-11/binlog.000001.4.00.seg",
		.start_position = 4,
		.hashes = {.size = (UINT64_C(4) << 20) + 1, .count = 2},
		.end = {.summary = {.event_end = 904,
				    .event_count = 3,
				    .last_event_crc = 5,
				    .flags = SUMMARY_CRC_WRONG},
			.frame_count = 9,
			.ended = SEGMENT_ENDED_ROTATE,
			.next_file = "binlog.000002"},
	};
	struct covered_record covered = {
		.source = "orders", .position = UINT64_MAX, .frame_sequence = UINT32_MAX};
	struct damaged_record damaged = {.source = "orders",
					 .binlog_file = "binlog.000002",
					 .position = UINT64_C(5000000000),
					 .length = 312,
					 .crc = UINT32_MAX};
	struct orphan_record orphan = {
		.path = "segments/orders/x.seg", .size = 1, .reason = "torn \xe2\x80\xa6"};
	struct semi_sync_record semi_sync = {.source = "orders",
					     .since_usec = 1700000000000000u,
					     .sentence = "no puller is connected",
					     .binlog_file = "binlog.000002",
					     .position = UINT64_C(5) << 32,
					     .change_count = 3,
					     .off_usec = 7};
	struct gap_accepted_record gap_accepted = {
		.source = "orders", .generation = {{9}}, .uid = 7, .gid = 8, .reason = "a test's"};
	struct paused_record paused = {.source = "orders", .uid = 7, .reason = "moves"};
	struct resumed_record resumed = {.source = "orders",
					 .gid = 8,
					 .paused_index = UINT64_MAX,
					 .from_file = "binlog.000002",
					 .from_position = 4711,
					 .from_usec = 1};
	struct store_beginning *beginning = malloc(sizeof(*beginning));
	json_t *object = request_sample(type);

	fixture_beginning(beginning, WORM_REQUIRED);
	if (strcmp(type, "segment-sealed") == 0)
		object = segment_sealed_record_encode(&sealed);
	if (strcmp(type, "covered") == 0)
		object = covered_record_encode(&covered);
	if (strcmp(type, "damaged") == 0)
		object = damaged_record_encode(&damaged);
	if (strcmp(type, "orphan") == 0)
		object = orphan_record_encode(&orphan);
	if (strcmp(type, "gap-accepted") == 0)
		object = gap_accepted_record_encode(&gap_accepted);
	if (strcmp(type, "paused") == 0)
		object = paused_record_encode(&paused);
	if (strcmp(type, "resumed") == 0)
		object = resumed_record_encode(&resumed);
	if (strcmp(type, "semi-sync") == 0)
		object = semi_sync_record_encode(&semi_sync);
	if (strcmp(type, "preflight") == 0)
		object = preflight_sample();
	if (strncmp(type, "config", 6) == 0)
		object = config_sample(type);
	if (strcmp(type, "master") == 0)
		object = master_record_encode(&beginning->master);
	if (strcmp(type, "signing-key") == 0)
		object = signing_key_record_encode(&beginning->checkpoint);
	if (strcmp(type, "policy") == 0)
		object = policy_record_encode(&beginning->policy);
	free(beginning);
	return object;
}

/* Decode and encode again; NULL with the error if it does not decode. */
static json_t *again(const json_t *object, int *ret_code, struct error *err)
{
	union {
		struct master_record master;
		struct signing_key_record key;
		struct policy_record policy;
		struct config_record config;
		struct config_refused_record refused;
		struct segment_sealed_record sealed;
		struct covered_record covered;
		struct damaged_record damaged;
		struct orphan_record orphan;
		struct semi_sync_record semi_sync;
		struct request_record request;
		struct approved_record approved;
		struct exported_record exported;
		struct export_failed_record failed;
		struct withdrawn_record withdrawn;
		struct preflight_record preflight;
		struct gap_accepted_record gap_accepted;
		struct paused_record paused;
		struct resumed_record resumed;
	} *u = calloc(1, sizeof(*u));
	enum record_type type;
	json_t *result = NULL;
	int r = record_type(object, &type, err);

#define AGAIN(TYPE, name, field)                                                                   \
	if (r == 0 && type == TYPE) {                                                              \
		r = name##_record_decode(object, &u->field, err);                                  \
		if (r == 0)                                                                        \
			result = name##_record_encode(&u->field);                                  \
	}
	AGAIN(RECORD_MASTER, master, master)
	AGAIN(RECORD_SIGNING_KEY, signing_key, key)
	AGAIN(RECORD_POLICY, policy, policy)
	AGAIN(RECORD_CONFIG, config, config)
	AGAIN(RECORD_CONFIG_REFUSED, config_refused, refused)
	AGAIN(RECORD_SEGMENT_SEALED, segment_sealed, sealed)
	AGAIN(RECORD_COVERED, covered, covered)
	AGAIN(RECORD_DAMAGED, damaged, damaged)
	AGAIN(RECORD_ORPHAN, orphan, orphan)
	AGAIN(RECORD_SEMI_SYNC, semi_sync, semi_sync)
	AGAIN(RECORD_REQUEST, request, request)
	AGAIN(RECORD_APPROVED, approved, approved)
	AGAIN(RECORD_EXPORTED, exported, exported)
	AGAIN(RECORD_EXPORT_FAILED, export_failed, failed)
	AGAIN(RECORD_WITHDRAWN, withdrawn, withdrawn)
	AGAIN(RECORD_PREFLIGHT, preflight, preflight)
	AGAIN(RECORD_GAP_ACCEPTED, gap_accepted, gap_accepted)
	AGAIN(RECORD_PAUSED, paused, paused)
	AGAIN(RECORD_RESUMED, resumed, resumed)
#undef AGAIN
	if (result && type == RECORD_SEGMENT_SEALED)
		segment_sealed_record_release(&u->sealed);
	if (result && type == RECORD_PREFLIGHT)
		preflight_record_release(&u->preflight);
	free(u);
	*ret_code = r;
	return result;
}

static const char *const types[] = {"segment-sealed", "covered",   "orphan",
				    "request",	      "approved",  "exported",
				    "config",	      "master",	   "signing-key",
				    "export-failed",  "policy",	   "damaged",
				    "semi-sync",      "preflight", "gap-accepted",
				    "paused",	      "resumed",   "config of a bundle",
				    "config-refused", "withdrawn"};

/* May it be left out by itself? */
static bool is_optional(const char *type, const char *key)
{
	return strcmp(type, "config-refused") == 0 &&
	       (strcmp(key, "version") == 0 || strcmp(key, "hash") == 0);
}

static void every_record_comes_back_as_it_was(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		json_t *object = sample(types[i]), *copy;
		char text[LEAF_SIZE_MAX];
		struct error err;
		int r;

		assert_non_null(object);
		assert_ok(json_text_canonical(object, text, sizeof(text), &err), &err);
		copy = again(object, &r, &err);
		assert_ok(r, &err);
		assert_true(json_equal(object, copy));
		json_decref(object);
		json_decref(copy);
	}
}

static void a_record_that_lacks_a_field_or_has_another_kind_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		json_t *object = sample(types[i]), *value;
		const char *key;

		json_object_foreach(object, key, value)
		{
			json_t *less = json_deep_copy(object), *other = json_deep_copy(object);
			struct error err = {0};
			int r;

			json_object_del(less, key);
			if (!is_optional(types[i], key)) {
				assert_null(again(less, &r, &err));
				assert_true(r == ERROR_DEFECT);
				assert_non_null(strstr(err.message, key));
			}
			json_object_set_new(other, key, json_integer(7));
			assert_null(again(other, &r, &err));
			assert_true(r == ERROR_DEFECT);
			json_decref(less);
			json_decref(other);
		}
		json_decref(object);
	}
}

/* Field, wrong value, words of the sentence. */
static void a_wrong_value_is_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *type, *key, *value, *words;
	} rows[] = {
		{"covered", "source", "../etc", "not the name of a source"},
		{"gap-accepted", "generation", "09", "generation"},
		{"gap-accepted", "source", "a b", "not the name of a source"},
		{"gap-accepted", "uid", "4294967296", "does not fit in 32 bits"},
		{"covered", "frame", "4294967296", "does not fit in 32 bits"},
		{"covered", "position", "18446744073709551616", "64-bit"},
		{"config of a bundle", "bundle", "0", "field 'bundle' is 0"},
		{"config-refused", "version", "0", "field 'version' is 0"},
		{"orphan", "path", "segments/../ledger/checkpoints", "not the path of a segment"},
		{"damaged", "binlog_file", "../x", "not the name of a binlog file"},
		{"damaged", "length", "4294967296", "does not fit in 32 bits"},
		{"orphan", "path", "/etc/passwd", "not the path of a segment"},
		{"segment-sealed", "binlog_file", "a/b", "not the name of a binlog file"},
		{"segment-sealed", "good_end", "3", "before the start"},
		{"segment-sealed", "size", "1", "chunk hashes"},
		{"segment-sealed", "size", "2147483649", "chunk hashes"},
		{"segment-sealed", "ended", "bored", "not known to this version"},
		{"segment-sealed", "void_end", "99999999999", "passes the end of the file"},
		{"segment-sealed", "identity", "00", "identity"},
		{"request", "kind", "steal", "not known to this version"},
		{"request", "to", "../x", "is not a name"},
		{"master", "fingerprint",
		 "0000000000000000000000000000000000000000000000000000000000000000",
		 "not that of the key"},
		{"master", "key", "AAAA", "not that of the key"},
		{"config", "worm", "perhaps", "not known to this version"},
		{"exported", "signature", "", "is empty"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		json_t *object = sample(rows[i].type);
		struct error err = {0};
		int r;

		assert_non_null(json_object_get(object, rows[i].key));
		json_object_set_new(object, rows[i].key, json_string(rows[i].value));
		assert_null(again(object, &r, &err));
		assert_fails(r, &err, ERROR_DEFECT, rows[i].words);
		json_decref(object);
	}
}

static void gtid_ranges_stand_in_the_leaf_until_they_are_too_many(void **state)
{
	struct gtid_ranges *ranges = gtid_ranges_new(SEALED_RANGES_SIZE_MAX);
	struct gtid_ranges *back = gtid_ranges_new(SEALED_RANGES_SIZE_MAX);
	struct segment_sealed_record record = {0};
	struct gtid_range range = {.group_size = 16};
	struct hash hash = {{9}};
	char text[LEAF_SIZE_MAX];
	struct error err;

	(void)state;
	for (uint64_t i = 0; gtid_ranges_add(ranges, &range); i++) {
		range.first = range.last = 10 * i;
		segment_sealed_record_set_ranges(&record, ranges, &hash);
		if (!record.gtid_ranges_known)
			break;
		assert_ok(json_text_canonical(record.gtid_ranges, text, 32768 + 1, &err), &err);
		gtid_ranges_clear(back);
		assert_ok(segment_sealed_record_ranges(&record, back, &err), &err);
		assert_int_equal(gtid_ranges_count(back), gtid_ranges_count(ranges));
		segment_sealed_record_release(&record);
	}
	assert_false(record.gtid_ranges_known);
	assert_true(gtid_ranges_count(ranges) > 500);
	assert_fails(segment_sealed_record_ranges(&record, back, &err), &err, ERROR_NOT_FOUND,
		     "only a hash");
	segment_sealed_record_release(&record);
	gtid_ranges_free(ranges);
	gtid_ranges_free(back);
}

static void the_largest_sealed_leaf_fits_even_when_it_is_carried(void **state)
{
	struct gtid_ranges *ranges = gtid_ranges_new(SEALED_RANGES_SIZE_MAX);
	struct segment_sealed_record *record = calloc(1, sizeof(*record));
	const struct leaf_stamp stamp = {.time_usec = 1787484066918123,
					 .boot_id = "6f1c1fd2-6f5e-4b0e-9f8e-00000000b007",
					 .uptime_usec = UINT64_MAX};
	struct gtid_range range = {.group_size = 16, .first = UINT64_MAX / 2};
	struct tree tree = {.size = UINT64_C(0xffffffff)};
	char line[LEAF_SIZE_MAX];
	json_t *object, *carrier;
	struct error err;

	(void)state;
	do {
		segment_sealed_record_set_ranges(record, ranges, &(struct hash){{1}});
		range.first = range.last = range.first + 2;
	} while (record->gtid_ranges_known && gtid_ranges_add(ranges, &range));
	/* one less than too many */
	gtid_ranges_clear(ranges);
	range.first = UINT64_MAX / 2;
	for (int i = 0; i < 400; i++) {
		range.first = range.last = range.first + 2;
		gtid_ranges_add(ranges, &range);
	}
	segment_sealed_record_set_ranges(record, ranges, &(struct hash){{1}});
	assert_true(record->gtid_ranges_known);
	gtid_ranges_clear(ranges);
	range.group_size = 17;
	for (size_t i = 0; i < GTID_SNAPSHOT_SIZE_MAX / 34; i++) {
		range.first = range.last = range.first + 2;
		gtid_ranges_add(ranges, &range);
	}
	gtid_snapshot_take(&record->gtids_archived, ranges);
	assert_true(record->gtids_archived.known);
	record->hashes.size = SEGMENT_SIZE_MAX;
	record->hashes.count = SEGMENT_CHUNK_COUNT_MAX;
	record->end.ended = SEGMENT_ENDED_ROTATE;
	record->opened_index = record->start_position = UINT64_MAX / 4;
	record->end.summary.event_end = UINT64_MAX;
	memset(record->source, 's', SOURCE_NAME_MAX);
	memset(record->binlog_file, 'b', BINLOG_NAME_MAX);
	memset(record->end.next_file, 'n', BINLOG_NAME_MAX);
	memset(record->path, 'p', SEGMENT_PATH_SIZE - 1);
	object = segment_sealed_record_encode(record);
	assert_ok(leaf_encode(object, UINT64_C(1) << 40, &stamp, line, &err), &err);
	json_put_string(object, "boot", stamp.boot_id);
	carrier = json_object();
	json_put_string(carrier, "type", "state");
	json_put_u64(carrier, "part", 100);
	json_put_u64(carrier, "parts", 100);
	tree_put(carrier, "tree", &tree);
	json_put(carrier, "carries", object);
	assert_ok(leaf_encode(carrier, UINT64_C(1) << 40, &stamp, line, &err), &err);
	json_decref(carrier);
	segment_sealed_record_release(record);
	free(record);
	gtid_ranges_free(ranges);
}

/* --- periods --------------------------------------------------------------------------------- */

struct bound {
	struct period_record record;
	struct secret key;
};

static void bind(struct bound *bound, uint8_t number)
{
	CLEANUP(public_key_freep)
	struct public_key *master = NULL;
	uint8_t der[PUBLIC_KEY_DER_MAX];
	struct error err;

	memset(bound, 0, sizeof(*bound));
	memset(bound->record.id, number, STORE_ID_SIZE);
	memcpy(bound->record.source, "orders", 7);
	memcpy(bound->record.class, "finance", 8);
	memcpy(bound->record.month, "2026-11", 8);
	bound->record.master_sequence = 1;
	assert_ok(secret_init(&bound->key, PERIOD_KEY_SIZE, &err), &err);
	memset(bound->key.bytes, 0x40 + number, PERIOD_KEY_SIZE);
	assert_ok(public_key_decode(der, fixture_der(master_key, der), &master, &err), &err);
	assert_ok(period_record_bind(&bound->record, &bound->key, master, &err), &err);
}

/* What the HSM would do. */
static void unwrap(const struct period_record *record, uint8_t out[static PERIOD_UNWRAPPED_SIZE])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(master_key, NULL);
	uint8_t plain[WRAP_SIZE_MAX];
	size_t size = sizeof(plain);

	assert_int_equal(EVP_PKEY_decrypt_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_decrypt(context, plain, &size, record->wrap, record->wrap_size),
			 1);
	assert_int_equal(size, PERIOD_UNWRAPPED_SIZE);
	memcpy(out, plain, size);
	EVP_PKEY_CTX_free(context);
}

static void a_bound_wrap_gives_its_key_back(void **state)
{
	uint8_t plain[PERIOD_UNWRAPPED_SIZE];
	struct period_record record;
	struct bound bound;
	struct secret key;
	struct error err;
	json_t *object;

	(void)state;
	bind(&bound, 1);
	object = period_record_encode(&bound.record);
	assert_ok(period_record_decode(object, &record, &err), &err);
	unwrap(&record, plain);
	assert_ok(period_record_unbind(&record, plain, &key, &err), &err);
	assert_memory_equal(key.bytes, bound.key.bytes, PERIOD_KEY_SIZE);
	json_decref(object);
	secret_release(&key);
	secret_release(&bound.key);
}

static void a_swapped_wrap_is_found(void **state)
{
	uint8_t plain[PERIOD_UNWRAPPED_SIZE];
	struct bound one, two;
	struct secret key;
	struct error err;

	(void)state;
	bind(&one, 1);
	bind(&two, 2);
	memcpy(one.record.wrap, two.record.wrap, sizeof(one.record.wrap));
	unwrap(&one.record, plain);
	assert_fails(period_record_unbind(&one.record, plain, &key, &err), &err, ERROR_DEFECT,
		     "made for another record");
	secret_release(&one.key);
	secret_release(&two.key);
}

static void a_planted_record_around_a_real_wrap_is_found(void **state)
{
	uint8_t plain[PERIOD_UNWRAPPED_SIZE];
	struct bound bound;
	struct period_record planted;
	struct secret key;
	struct error err;

	(void)state;
	bind(&bound, 1);
	unwrap(&bound.record, plain);
	planted = bound.record;
	memcpy(planted.month, "2026-10", 8);
	assert_fails(period_record_unbind(&planted, plain, &key, &err), &err, ERROR_DEFECT,
		     "another record");
	planted = bound.record;
	planted.archive_id[0] ^= 1;
	assert_fails(period_record_unbind(&planted, plain, &key, &err), &err, ERROR_DEFECT,
		     "another record");
	planted = bound.record;
	planted.commitment.bytes[0] ^= 1;
	assert_fails(period_record_unbind(&planted, plain, &key, &err), &err, ERROR_DEFECT,
		     "another record");
	/* the hash made to fit, but the key is not the one that was committed to */
	plain[0] ^= 1;
	assert_fails(period_record_unbind(&bound.record, plain, &key, &err), &err, ERROR_DEFECT,
		     "committed to");
	secret_release(&bound.key);
}

static void the_record_hash_covers_everything_but_the_wrap(void **state)
{
	struct bound bound;
	struct period_record record;
	struct hash before, after;

	(void)state;
	bind(&bound, 1);
	period_record_hash(&bound.record, &before);
	record = bound.record;
	record.wrap[0] ^= 1;
	period_record_hash(&record, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	record.source[0] = 'x';
	period_record_hash(&record, &after);
	assert_memory_not_equal(&before, &after, sizeof(before));
	secret_release(&bound.key);
}

static void a_period_with_a_wrong_month_or_a_short_wrap_is_refused(void **state)
{
	struct bound bound;
	struct period_record record;
	struct error err;
	json_t *object;

	(void)state;
	bind(&bound, 1);
	object = period_record_encode(&bound.record);
	json_object_set_new(object, "month", json_string("2026-13"));
	assert_fails(period_record_decode(object, &record, &err), &err, ERROR_DEFECT, "month");
	json_object_set_new(object, "month", json_string("2026-12"));
	json_object_set_new(object, "wrap", json_string("AAAA"));
	assert_fails(period_record_decode(object, &record, &err), &err, ERROR_DEFECT, "wrap");
	json_decref(object);
	secret_release(&bound.key);
}

/* Archives have requests of before there was a choice. */
static void a_request_without_a_form_is_for_files(void **state)
{
	json_t *object = sample("request"), *copy;
	struct request_record record;
	struct error err = {0};

	(void)state;
	assert_null(json_object_get(object, "form"));
	assert_ok(request_record_decode(object, &record, &err), &err);
	assert_int_equal(record.form, REQUEST_FILES);
	record.form = REQUEST_TAR;
	copy = request_record_encode(&record);
	assert_string_equal(json_string_value(json_object_get(copy, "form")), "tar");
	record.form = REQUEST_FILES;
	assert_ok(request_record_decode(copy, &record, &err), &err);
	assert_int_equal(record.form, REQUEST_TAR);
	json_object_set_new(copy, "form", json_string("zip"));
	assert_fails(request_record_decode(copy, &record, &err), &err, ERROR_DEFECT,
		     "not known to this version");
	json_decref(object);
	json_decref(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_without_a_form_is_for_files),
		cmocka_unit_test(every_record_comes_back_as_it_was),
		cmocka_unit_test(a_record_that_lacks_a_field_or_has_another_kind_is_refused),
		cmocka_unit_test(a_wrong_value_is_refused_with_a_sentence),
		cmocka_unit_test(gtid_ranges_stand_in_the_leaf_until_they_are_too_many),
		cmocka_unit_test(the_largest_sealed_leaf_fits_even_when_it_is_carried),
		cmocka_unit_test(a_bound_wrap_gives_its_key_back),
		cmocka_unit_test(a_swapped_wrap_is_found),
		cmocka_unit_test(a_planted_record_around_a_real_wrap_is_found),
		cmocka_unit_test(the_record_hash_covers_everything_but_the_wrap),
		cmocka_unit_test(a_period_with_a_wrong_month_or_a_short_wrap_is_refused),
	};

	return cmocka_run_group_tests(tests, fixture_keys, fixture_keys_free);
}
