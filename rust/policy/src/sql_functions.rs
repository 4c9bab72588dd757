//! Built-in SQL functions that only read, by dialect: the allow-list. A function that is not here is a write.
//!
//! Deliberately absent, though built in: `nextval`, `setval`, `set_config`, `setseed`, advisory and user locks,
//! `pg_notify`, `pg_terminate_backend` and the other administration calls, large-object functions, `dblink*`,
//! `query_to_xml` and everything else that runs a statement given as text, `xp_*`, `OPENROWSET` and `OPENQUERY`,
//! `EXTERNAL_QUERY`, `SYSTEM$*`, `load_extension`, `writefile`, `sleep` and `benchmark` (no write, but harm),
//! functions that call a model or another host. Sources: each product's function reference.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::sql_family::Family;

/// Functions with one meaning wherever they exist. A dialect without one of them has nothing, or a compatibility shim.
const COMMON: &str = "
abs acos acosh asin asinh atan atan2 atanh cbrt ceil ceiling cos cosh cot degrees div exp factorial floor gcd lcm ln log
log10 log2 mod pi pow power radians rand random round sign sin sinh sqrt square tan tanh trunc truncate width_bucket
greatest least coalesce nullif nullifzero zeroifnull ifnull nvl nvl2 isnull iif if iff decode case nanvl
ascii bit_length char chr char_length character_length charindex concat concat_ws contains crc32 difference endswith
ends_with format initcap insert_text instr left length len locate lower lpad ltrim md5 mid octet_length overlay position
quote quotename regexp regexp_count regexp_extract regexp_extract_all regexp_instr regexp_like regexp_match
regexp_matches regexp_replace regexp_split_to_array regexp_substr repeat replace replicate reverse right rpad rtrim sha
sha1 sha2 sha224 sha256 sha384 sha512 soundex space split split_part startswith starts_with strpos substr substring
substring_index string_to_array to_base64 from_base64 to_hex from_hex hex unhex translate trim btrim ucase lcase unicode
upper levenshtein jarowinkler editdistance strcmp
add_months adddate addtime age convert_timezone current_date current_time current_timestamp curdate curtime date
date_add date_bucket date_diff date_format date_from_parts date_parse date_part date_sub date_trunc dateadd datediff
datename datepart day day_of_month day_of_week day_of_year dayname dayofmonth dayofweek dayofyear days extract
from_unixtime getdate hour hours isodow justify_days justify_hours justify_interval last_day localtime localtimestamp
make_date make_interval make_time make_timestamp make_timestamptz microsecond minute month monthname months_between
next_day now parse_date quarter second str_to_date strftime sysdate systimestamp time time_bucket time_slice timediff
timestamp timestampadd timestampdiff timezone to_char to_date to_number to_time to_timestamp to_timestamp_ltz
to_timestamp_ntz to_timestamp_tz to_unixtime trunc unix_timestamp utc_date utc_time utc_timestamp week weekday
weekofyear year yearweek interval datetime julianday unixepoch
avg bit_and bit_or bit_xor bool_and bool_or boolean_and boolean_or corr count count_if countif covar_pop covar_samp
every group_concat kurtosis listagg max max_by maxby mean median min min_by minby mode percentile_approx percentile_cont
percentile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy skewness
skew stddev stddev_pop stddev_samp string_agg sum total var_pop var_samp variance std any_value anyvalue arbitrary
approx_count_distinct approx_distinct approx_percentile approx_quantile approx_top_k approx_median first last
argmax arg_max argmin arg_min array_agg list histogram bit_count bitand bitor bitxor bitnot checksum_agg
cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number ratio_to_report
grouping grouping_id group_id
array array_append array_cat array_concat array_concat_agg array_contains array_distinct array_except array_filter
array_insert array_intersect array_intersection array_join array_length array_max array_min array_position
array_positions array_prepend array_remove array_replace array_reverse array_size array_slice array_sort array_to_string
array_transform array_union array_unique_agg arrays_overlap arrays_to_object array_construct array_compact array_flatten
cardinality element_at explode explode_outer filter flatten generate_array generate_date_array generate_series
generate_subscripts get get_path map map_keys map_values object_agg object_construct object_keys posexplode range
reduce sequence size sort_array struct row tuple unnest values zip
json_agg json_array json_array_length json_arrayagg json_build_array json_build_object json_contains
json_contains_path json_depth json_each json_each_text json_exists json_extract json_extract_array
json_extract_array_element_text json_extract_path json_extract_path_text json_extract_scalar json_extract_string
json_extract_string_array json_group_array json_group_object json_keys json_length json_merge json_merge_patch
json_merge_preserve json_insert json_modify json_remove json_replace json_set json_array_append json_array_insert
json_object json_object_keys json_objectagg json_object_agg json_overlaps json_parse json_path_exists json_pretty
json_query json_query_array json_quote json_scalar json_search json_serialize json_size json_storage_size
json_strip_nulls json_structure json_table json_to_record json_to_recordset json_tree json_type json_typeof json_unquote
json_valid json_value json_value_array isjson is_valid_json is_json parse_json try_parse_json to_json to_json_string
row_to_json jsonb jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object
jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array
jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax
jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof json_array_elements json_array_elements_text
json_populate_record json_populate_recordset to_jsonb array_to_json
xmlagg xmlattributes xmlcomment xmlconcat xmlelement xmlexists xmlforest xmlparse xmlpi xmlquery xmlroot xmlserialize
xmltable xmltype xpath xpath_exists xmlcast xmlget xmlnamespaces
cast convert safe_cast try_cast try_convert try_to_number try_to_date try_to_timestamp to_varchar to_binary to_boolean
to_decimal to_double to_numeric to_variant typeof pg_typeof binary varchar nvarchar char nchar decimal numeric int
integer bigint smallint tinyint float double real boolean text string bytes blob uuid number
current_catalog current_database current_role current_schema current_schemas current_user database schema session_user
system_user user version gen_random_uuid newid uuid uuid_string uuid_generate_v4 uuidv4 uuidv7 generate_uuid
st_area st_asbinary st_asgeojson st_astext st_aswkb st_aswkt st_azimuth st_boundary st_buffer st_centroid st_collect
st_contains st_convexhull st_coveredby st_covers st_crosses st_difference st_dimension st_disjoint st_distance
st_distance_sphere st_distancesphere st_dwithin st_endpoint st_envelope st_equals st_exteriorring st_geogfromtext
st_geogpoint st_geographyfromtext st_geographyfromwkb st_geohash st_geomfromgeojson st_geomfromtext st_geomfromwkb
st_geometryfromtext st_geometrytype st_geometryn st_intersection st_intersects st_isclosed st_isempty st_isvalid
st_length st_linefromtext st_makeline st_makepoint st_makepolygon st_maxdistance st_numgeometries st_npoints
st_numpoints st_overlaps st_perimeter st_point st_pointfromtext st_pointn st_polygon st_polygonfromtext st_setsrid
st_simplify st_srid st_startpoint st_symdifference st_touches st_transform st_union st_within st_x st_xmax st_xmin st_y
st_ymax st_ymin st_z
";

const POSTGRES: &str = "
acosd asind atand atan2d cosd cotd sind tand erf erfc gamma lgamma random_normal min_scale scale trim_scale
convert_from convert_to encode decode get_bit get_byte set_bit set_byte normalize parse_ident quote_ident quote_literal
quote_nullable regexp_split_to_table string_to_table to_ascii to_bin to_oct unistr casefold sha224 sha384 bit_count
clock_timestamp statement_timestamp transaction_timestamp timeofday date_bin isfinite to_timestamp
array_dims array_fill array_lower array_ndims array_sample array_shuffle array_upper trim_array array_remove
enum_first enum_last enum_range lower_inc upper_inc lower_inf upper_inf isempty multirange range_merge range_agg
range_intersect_agg int4range int8range numrange tsrange tstzrange daterange int4multirange int8multirange
nummultirange tsmultirange tstzmultirange datemultirange unnest
abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask network set_masklen text
macaddr8_set7bit inet_client_addr inet_client_port inet_server_addr inet_server_port
center diagonal diameter height isclosed isopen npoints pclose popen radius slope width box circle line lseg path point
polygon bound_box
to_tsquery to_tsvector plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd ts_headline
ts_delete ts_filter ts_lexize ts_debug setweight strip numnode querytree tsquery_phrase tsvector_to_array
array_to_tsvector get_current_ts_config json_to_tsvector jsonb_to_tsvector
jsonb_path_exists_tz jsonb_path_match_tz jsonb_path_query_tz jsonb_path_query_array_tz jsonb_path_query_first_tz
json_object_agg_strict json_object_agg_unique jsonb_object_agg_strict jsonb_object_agg_unique json_agg_strict
xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document xmltext
num_nonnulls num_nulls nullif grouping any some all exists row_to_json
col_description obj_description shobj_description format_type pg_get_constraintdef pg_get_expr pg_get_functiondef
pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result pg_get_indexdef pg_get_keywords
pg_get_partkeydef pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef pg_get_triggerdef pg_get_userbyid
pg_get_viewdef pg_table_is_visible pg_type_is_visible pg_function_is_visible pg_opclass_is_visible
pg_operator_is_visible pg_collation_is_visible pg_encoding_to_char pg_char_to_encoding pg_index_column_has_property
pg_index_has_property pg_indexam_has_property pg_options_to_table pg_tablespace_databases pg_tablespace_location
pg_partition_tree pg_partition_ancestors pg_partition_root pg_identify_object pg_describe_object
to_regclass to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype
has_any_column_privilege has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege
has_function_privilege has_language_privilege has_schema_privilege has_sequence_privilege has_server_privilege
has_table_privilege has_tablespace_privilege has_type_privilege pg_has_role row_security_active
pg_column_size pg_column_compression pg_database_size pg_indexes_size pg_relation_filenode pg_relation_filepath
pg_relation_size pg_size_bytes pg_size_pretty pg_table_size pg_tablespace_size pg_total_relation_size
pg_backend_pid pg_blocking_pids pg_conf_load_time pg_current_wal_lsn pg_current_snapshot pg_is_in_recovery
pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_my_temp_schema pg_is_other_temp_schema
pg_postmaster_start_time pg_safe_snapshot_blocking_pids pg_stat_get_activity pg_lock_status pg_timezone_names
pg_timezone_abbrevs pg_wal_lsn_diff pg_snapshot_xmin pg_snapshot_xmax pg_visible_in_snapshot pg_show_all_settings
pg_input_is_valid pg_jit_available pg_trigger_depth current_setting currval lastval txid_current_snapshot
current_query uuid_extract_timestamp uuid_extract_version
similarity show_trgm word_similarity strict_word_similarity unaccent dmetaphone metaphone levenshtein_less_equal
cosine_distance l2_distance l1_distance inner_product vector_dims vector_norm l2_normalize binary_quantize subvector
hamming_distance jaccard_distance avals akeys hstore hstore_to_json hstore_to_jsonb skeys svals each exist defined
nlevel subpath subltree index lca
crypt digest hmac gen_random_bytes gen_salt encrypt decrypt armor dearmor
percentile_cont rank mode unnest
first last time_bucket time_bucket_gapfill locf interpolate
st_asmvt st_asmvtgeom st_asewkt st_asewkb st_askml st_assvg st_boundingdiagonal st_clusterdbscan st_clusterkmeans
st_closestpoint st_dump st_dumppoints st_expand st_extent st_force2d st_geometricmedian st_linemerge
st_lineinterpolatepoint st_linelocatepoint st_linesubstring st_makeenvelope st_makevalid st_multi st_pointonsurface
st_project st_relate st_rotate st_scale st_segmentize st_shortestline st_snap st_snaptogrid st_subdivide
st_tileenvelope st_translate st_unaryunion st_voronoipolygons
";

const REDSHIFT: &str = "
add_months approximate array_flatten bpcharcmp bttext_pattern_cmp bool cast charindex chr collate convert_timezone
crc32 current_aws_account current_namespace current_session_id date_cmp date_cmp_timestamp
date_cmp_timestamptz date_part_year dlog1 dlog10 dexp dpow dsqrt farmfingerprint64 farmhash64 fnv_hash func_sha1 getdate
get_array_length get_number_attributes has_assumerole_privilege hll hll_cardinality hll_combine hll_combine_agg
hll_create_sketch interval_cmp is_array is_bigint is_boolean is_char is_decimal is_float is_integer is_object is_scalar
is_smallint is_varchar is_valid_json is_valid_json_array json_size json_parse json_serialize can_json_parse
json_serialize_to_varbyte len listagg lower_attribute_names upper_attribute_names mod months_between murmur3_32_hash
ntile nvl2 object object_transform octetindex pg_backend_pid pg_last_copy_count pg_last_copy_id pg_last_query_id
pg_last_unload_id reverse sha2 split_to_array strtol subarray sysdate text_to_int_alt text_to_numeric_alt
textlen timeofday timestamp_cmp timestamp_cmp_date timestamp_cmp_timestamptz timestamptz_cmp timestamptz_cmp_date
timestamptz_cmp_timestamp to_varbyte from_varbyte try_cast size array_concat to_geography h3_boundary h3_center
h3_fromlonglat current_user_id st_geogfromtext st_aseewkt
";

const MYSQL: &str = "
aes_decrypt aes_encrypt any_value bin bin_to_uuid bit_count char charset coercibility collation column_add column_check
column_create column_delete column_exists column_get column_json column_list compress connection_id conv convert_tz
crc32 crc32c current_role date_add date_sub dayname default elt exp export_set extractvalue field find_in_set
format_bytes format_pico_time found_rows from_days from_unixtime geomcollection geometrycollection get_format greatest
icu_version inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval is_ipv4 is_ipv4_compat is_ipv4_mapped
is_ipv6 is_uuid isnull json_array_insert json_compact json_detailed json_equals json_loose json_normalize
json_schema_valid json_schema_validation_report json_storage_free json_value kdf last_day linestring
ln make_set makedate maketime match mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequals mbrintersects mbroverlaps
mbrtouches mbrwithin member microsecond multilinestring multipoint multipolygon name_const natural_sort_key oct ord
period_add period_diff point polygon random_bytes regexp_instr row_count schema sec_to_time session_user sformat
soundex st_aswkb st_latitude st_longitude st_swapxy st_validate statement_digest statement_digest_text
substr subtime sysdate sys_guid time_format time_to_sec timestamp to_char to_days to_seconds truncate uncompress
uncompressed_length updatexml user uuid_short uuid_to_bin validate_password_strength values weight_string week
std chr to_number vec_distance vec_distance_euclidean vec_distance_cosine vec_fromtext vec_totext
vector_dim string_to_vector vector_to_string nullif password old_password sha2 st_geomfromtext
use_index force_index ignore_index index key partition
";

const SQLITE: &str = "
changes char datetime dbstat fts3 geopoly_area geopoly_contains_point geopoly_json geopoly_overlap geopoly_svg
geopoly_within glob hex highlight iif julianday last_insert_rowid like likelihood likely bm25 matchinfo max min nullif
offsets octet_length printf randomblob rowid snippet sqlite_compileoption_get sqlite_compileoption_used sqlite_offset
sqlite_source_id sqlite_version strftime substring sumx timediff total total_changes typeof unicode unistr unixepoch
unlikely zeroblob json_error_position json_patch jsonb_array jsonb_extract jsonb_patch jsonb_group_array
jsonb_group_object jsonb_remove jsonb_replace generate_series pragma_table_info pragma_table_xinfo pragma_table_list
pragma_index_info pragma_index_list pragma_index_xinfo pragma_foreign_key_list pragma_database_list
pragma_collation_list pragma_function_list pragma_compile_options pragma_module_list pragma_pragma_list vec_distance_l2
vec_distance_cosine vec_f32 vec_length vec_to_json dayname concat
";

const TSQL: &str = "
option
abs acos app_name applock_mode applock_test approx_percentile_cont approx_percentile_disc ascii asymkey_id asymkeyproperty
assemblyproperty atn2 binary_checksum cert_id certencoded certproperty changetable changes charindex checksum
checksum_agg choose col_length col_name collationproperty columnproperty columns_updated compress concat_ws
connectionproperty containstable context_info count_big current_request_id current_timezone current_timezone_id
current_transaction_id cursor_status databaseproperty databasepropertyex database_principal_id datalength date_bucket
datediff_big datefromparts datepart datetime2fromparts datetimefromparts datetimeoffsetfromparts datetrunc db_id db_name
decompress decryptbyasymkey decryptbycert decryptbykey decryptbypassphrase encryptbypassphrase
edge_id_from_parts eomonth error_line error_message error_number error_procedure error_severity error_state eventdata
exist file_id file_idex file_name filegroup_id filegroup_name filegroupproperty fileproperty filepath filename
formatmessage freetext freetexttable fulltextcatalogproperty fulltextserviceproperty generate_series
get_bit set_bit left_shift right_shift get_filestream_transaction_context getansinull getutcdate graph_id_from_edge_id
graph_id_from_node_id has_dbaccess has_perms_by_name hashbytes host_id host_name ident_current ident_incr ident_seed
index_col indexkey_property indexproperty is_member is_objectsigned is_rolemember is_srvrolemember isdate isnumeric
json_path_exists key_guid key_id key_name loginproperty min_active_rowversion newsequentialid
node_id_from_parts nodes object_definition object_id object_id_from_edge_id object_id_from_node_id object_name
object_schema_name objectproperty objectpropertyex openjson openxml original_db_name original_login parse parsename
patindex permissions predict pwdcompare pwdencrypt query quotename regexp_split_to_table rowcount_big rowguidcol
schema_id schema_name scope_identity semantickeyphrasetable semanticsimilaritytable serverproperty session_context
sessionproperty smalldatetimefromparts sql_variant_property stats_date str string_escape
string_split stuff suser_id suser_name suser_sid suser_sname switchoffset sysdatetime sysdatetimeoffset sysutcdatetime
textptr textvalid tertiary_weights timefromparts todatetimeoffset trigger_nestlevel try_parse type_id type_name
typeproperty user_id user_name value vector_distance vector_norm vector_normalize vectorproperty
verifysignedbycert version xact_state contains
index forceseek forcescan nolock noexpand
stasgeojson stastext stasbinary starea stbuffer stcentroid stcontains stdistance stintersects stlength stx sty
staswkt stgeomfromtext stgeomfromwkb stpointfromtext stpolyfromtext stlinefromtext stisvalid stsrid stwithin
stnumpoints stpointn stunion stintersection stequals tostring getancestor getlevel getdescendant getroot isdescendantof
getreparentedvalue
sys.fn_listextendedproperty fn_listextendedproperty fn_helpcollations fn_my_permissions fn_varbintohexstr
dm_exec_sql_text dm_exec_query_plan dm_db_index_physical_stats dm_exec_describe_first_result_set
";

const SNOWFLAKE: &str = "
at before changes match_number match_sequence_number classifier prev next
all_user_names array_cat array_generate_range array_remove_at array_to_string arrays_zip as_array as_binary as_boolean
as_char as_date as_decimal as_double as_integer as_number as_object as_real as_time as_timestamp_ltz as_timestamp_ntz
as_timestamp_tz as_varchar approx_percentile_accumulate approx_percentile_combine approx_percentile_estimate
approx_top_k_accumulate approx_top_k_combine approx_top_k_estimate approximate_jaccard_index approximate_similarity
base64_decode_binary base64_decode_string base64_encode bitand_agg bitmap_bit_position bitmap_bucket_number
bitmap_construct_agg bitmap_count bitmap_or_agg bitor_agg bitshiftleft bitshiftright bitxor_agg booland booland_agg
boolnot boolor boolor_agg boolxor boolxor_agg charindex check_json check_xml collate collation compress
conditional_change_event conditional_true_event current_account current_account_name current_available_roles
current_client current_ip_address current_organization_name current_organization_user current_region current_role
current_role_type current_secondary_roles current_session current_statement current_transaction current_version
current_warehouse date_part datediff dateadd decompress_binary decompress_string div0 div0null
encrypt decrypt encrypt_raw decrypt_raw try_decrypt equal_null estimate_remaining_dml_distinct_count filter
generator get_absolute_path get_ddl get_object_references get_relative_path get_stage_location grouping_id
h3_cell_to_boundary h3_cell_to_children h3_cell_to_parent h3_cell_to_point h3_latlng_to_cell h3_grid_distance
hash hash_agg haversine hex_decode_binary hex_decode_string hex_encode hll hll_accumulate hll_combine hll_estimate
hll_export hll_import hour identifier ilike in insert invoker_role invoker_share is_array is_binary is_boolean is_char
is_varchar is_database_role_in_session is_date is_date_value is_decimal is_double is_granted_to_invoker_role
is_instance_role_in_session is_integer is_null_value is_object is_real is_role_in_session is_time is_timestamp_ltz
is_timestamp_ntz is_timestamp_tz jarowinkler_similarity json_extract_path_text last_query_id
last_transaction like_all like_any localtimestamp map_cat map_contains_key map_delete map_insert map_pick map_size
md5_binary md5_hex md5_number md5_number_lower64 md5_number_upper64 minhash minhash_combine monthname nanosecond
normal nvl2 object_construct_keep_null object_delete object_insert object_pick parse_ip parse_url parse_xml
percentile_disc previous_day randstr regexp_substr_all regr_valx regr_valy result_scan rlike round rtrimmed_length
seq1 seq2 seq4 seq8 sha1_binary sha1_hex sha2_binary sha2_hex soundex_p123 split_to_table square strip_null_value
strtok strtok_split_to_table strtok_to_array sysdate table time_from_parts timefromparts timeadd
timestamp_from_parts timestamp_ltz_from_parts timestamp_ntz_from_parts timestamp_tz_from_parts timestampfromparts
datefromparts to_array to_char to_geography to_geometry to_object to_xml transform
truncate try_base64_decode_binary try_base64_decode_string try_hex_decode_binary try_hex_decode_string try_to_binary
try_to_boolean try_to_char try_to_decimal try_to_double try_to_geography try_to_geometry try_to_numeric try_to_time
try_to_timestamp_ltz try_to_timestamp_ntz try_to_timestamp_tz try_to_varchar uniform unicode vector_cosine_similarity
vector_inner_product vector_l1_distance vector_l2_distance weekiso yearofweek yearofweekiso dayofweekiso zipf
date_from_parts zeroifnull variant object max_by min_by infer_schema directory
information_schema.query_history information_schema.query_history_by_session information_schema.query_history_by_user
information_schema.query_history_by_warehouse information_schema.task_history information_schema.copy_history
information_schema.login_history information_schema.login_history_by_user information_schema.tag_references
information_schema.policy_references information_schema.warehouse_load_history information_schema.pipe_usage_history
information_schema.warehouse_metering_history information_schema.database_storage_usage_history
information_schema.external_table_files information_schema.external_table_file_registration_history
information_schema.stage_storage_usage_history information_schema.automatic_clustering_history
information_schema.data_transfer_history information_schema.materialized_view_refresh_history
information_schema.replication_usage_history information_schema.search_optimization_history
information_schema.serverless_task_history information_schema.task_dependents information_schema.dynamic_tables
information_schema.dynamic_table_refresh_history information_schema.complete_task_graphs
information_schema.current_task_graphs information_schema.
system$typeof system$last_change_commit_time system$stream_has_data system$clustering_information
system$clustering_depth system$estimate_query_acceleration system$get_predecessor_return_value
";

const BIGQUERY: &str = "
approx_quantiles approx_top_count approx_top_sum array_first array_includes array_includes_all
array_includes_any array_is_distinct array_last array_offset array_zip bag_of_words bool byte_length cast chars
code_points_to_bytes code_points_to_string collate contains_substr corr cosine_distance euclidean_distance dot_product
current_datetime date_from_unix_date datetime datetime_add datetime_bucket datetime_diff datetime_sub datetime_trunc
date_bucket edit_distance error extract farm_fingerprint float64 format_date format_datetime
format_time format_timestamp from_base32 generate_range_array generate_timestamp_array generate_uuid ieee_divide int64
is_inf is_nan isoyear isoweek json_array_append json_flatten json_strip_nulls lax_bool lax_float64
lax_int64 lax_string logical_and logical_or net.host net.ip_from_string net.ip_net_mask net.ip_to_string
net.ip_trunc net.ipv4_from_int64 net.ipv4_to_int64 net.public_suffix net.reg_domain net.safe_ip_from_string normalize
normalize_and_casefold offset ordinal parse_bignumeric parse_datetime parse_numeric parse_time parse_timestamp
range_bucket range_contains range_end range_intersect range_overlaps range_sessionize range_start safe_add
safe_convert_bytes_to_string safe_divide safe_multiply safe_negate safe_offset safe_ordinal safe_subtract
session_user string struct text_analyze tf_idf timestamp_add timestamp_diff timestamp_from_unix_micros
timestamp_from_unix_millis timestamp_from_unix_seconds timestamp_micros timestamp_millis timestamp_seconds timestamp_sub
timestamp_trunc time_add time_diff time_sub time_trunc to_base32 to_code_points unix_date unix_micros unix_millis
unix_seconds sec csc coth cot sech csch cosh sqrt search instr left right translate vector_search appends changes
gap_fill hll_count.extract hll_count.init hll_count.merge hll_count.merge_partial kll_quantiles.init_int64
kll_quantiles.extract_int64 keys.keyset_length keys.keyset_to_json st_clusterdbscan st_snaptogrid st_boundingbox
s2_cellidfrompoint s2_coveringcellids
ml.weights ml.predict ml.evaluate ml.confusion_matrix ml.roc_curve ml.feature_info ml.training_info ml.trial_info
ml.centroids ml.principal_components ml.principal_component_info ml.arima_coefficients ml.arima_evaluate
ml.forecast ml.explain_forecast ml.explain_predict ml.global_explain ml.feature_importance ml.detect_anomalies
ml.reconstruction_loss ml.recommend ml.advanced_weights ml.feature_cross ml.bucketize ml.quantile_bucketize
ml.standard_scaler ml.min_max_scaler ml.max_abs_scaler ml.robust_scaler ml.normalizer ml.ngrams ml.polynomial_expand
ml.one_hot_encoder ml.label_encoder ml.multi_hot_encoder ml.hash_bucketize ml.imputer ml.distance ml.lp_norm
weights predict
";

const DUCKDB: &str = "
aggregate alias apply array_apply array_aggr array_aggregate array_cosine_distance array_cosine_similarity
array_cross_product array_distance array_extract array_grade_up array_has array_has_all array_has_any array_indexof
array_inner_product array_negative_inner_product array_pop_back array_pop_front array_push_back array_push_front
array_reduce array_resize array_reverse_sort array_select array_unique array_value array_where array_zip bar base64 bin
bit_position bitstring bitstring_agg can_cast_implicitly cardinality century chr columns combine concat_ws constant_or_null
contains cot countif count_star create_sort_key current_localtime current_localtimestamp
current_setting damerau_levenshtein date_sub datepart datesub datetrunc decade element_at encode decode
enum_code enum_first enum_last enum_range enum_range_boundary epoch epoch_ms epoch_ns epoch_us equi_width_bins era even
fdiv favg fmod format formatreadabledecimalsize formatreadablesize formatreadablesizedecimal from_base64
from_binary from_hex from_json from_json_strict fsum sumkahan kahan_sum gamma get_bit getvariable glob grade_up greatest
greatest_common_divisor hamming hash histogram_exact histogram_values ilike_escape in_search_path is_histogram_other_bin
isfinite isinf isnan iso8601 isoyear jaccard jaro_similarity jaro_winkler_similarity json_contains json_exists
json_group_structure json_keys json_transform json_transform_strict julian kurtosis_pop least_common_multiple left_grapheme
length_grapheme lgamma like_escape list_aggr list_aggregate list_any_value list_append list_apply
list_approx_count_distinct list_avg list_bit_and list_bit_or list_bit_xor list_bool_and list_bool_or list_cat list_concat
list_contains list_cosine_distance list_cosine_similarity list_count list_distance list_distinct list_dot_product
list_element list_entropy list_extract list_filter list_first list_grade_up list_has list_has_all list_has_any
list_histogram list_indexof list_inner_product list_intersect list_kurtosis list_last list_mad list_max list_median
list_min list_mode list_negative_inner_product list_pack list_position list_prepend list_product list_reduce list_resize
list_reverse list_reverse_sort list_select list_sem list_skewness list_slice list_sort list_stddev_pop list_stddev_samp
list_string_agg list_sum list_transform list_unique list_value list_var_pop list_var_samp list_where list_zip mad
make_timestamp_ms make_timestamp_ns map_concat map_contains map_entries map_extract map_extract_value map_from_entries
md5_number md5_number_lower md5_number_upper millennium millisecond milliseconds mismatches multiply nanosecond
nextafter nfc_normalize not_ilike_escape not_like_escape ord parse_dirname parse_dirpath parse_filename parse_path
parquet_metadata parquet_schema parquet_file_metadata parquet_kv_metadata parquet_scan pragma_table_info
pragma_database_size pragma_storage_info pragma_version prefix printf product quantile quantile_cont quantile_disc
read_blob read_csv read_csv_auto read_json read_json_auto read_json_objects read_json_objects_auto read_ndjson
read_ndjson_auto read_ndjson_objects read_parquet read_text delta_scan iceberg_scan iceberg_metadata iceberg_snapshots
read_xlsx sniff_csv regexp_escape regexp_extract_all regexp_full_match regexp_split_to_array
regexp_split_to_table repeat_row replace_type reservoir_quantile right_grapheme roundbankers row_to_json sem set_bit
signbit stats stem str_split str_split_regex string_split string_split_regex string_to_array strlen
struct_concat struct_extract struct_extract_at struct_insert struct_pack struct_update substring_grapheme sum_no_overflow
summary suffix test_all_types timetz_byte_comparable timezone_hour timezone_minute to_binary to_centuries to_days
to_decades to_hours to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_weeks
to_years transaction_timestamp get_current_time get_current_timestamp today trim trunc try try_strptime strptime
union_extract union_tag union_value unicode unpivot_list url_decode url_encode weekday wavg weighted_avg
xor yearweek approx_quantile duckdb_tables duckdb_columns duckdb_views duckdb_schemas duckdb_databases
duckdb_functions duckdb_types duckdb_settings duckdb_extensions duckdb_indexes duckdb_constraints duckdb_keywords
duckdb_memory duckdb_secrets duckdb_sequences duckdb_dependencies duckdb_optimizers duckdb_variables glob
icu_sort_key which_secret entropy bool sum_if rename columns transform array_to_json json generate_series range
bernoulli reservoir percent rowid date_part
";

const ORACLE: &str = "
classifier match_number prev next rules
appendchildxml approx_rank approx_sum asciistr bfilename bin_to_num cast chartorowid
cluster_details cluster_distance cluster_id cluster_probability cluster_set collect compose con_dbid_to_id
con_guid_to_id con_name_to_id con_uid_to_id convert cube_table cv data dbtimezone decode decompose deletexml depth
deref domain_check dump empty_blob empty_clob existsnode extract extractvalue feature_compare
feature_details feature_id feature_set feature_value from_tz hextoraw insertchildxml insertxmlafter insertxmlbefore
iteration_number json_dataguide json_mergepatch json_scalar json_serialize json_transform lnnvl localtimestamp make_ref
months_between nchr new_time nls_charset_decl_len nls_charset_id nls_charset_name nls_collation_id nls_collation_name
nls_initcap nls_lower nls_upper nlssort nullif numtodsinterval numtoyminterval ora_dst_affected ora_dst_convert
ora_dst_error ora_hash ora_invoking_user ora_invoking_userid path percentile_cont powermultiset
powermultiset_by_cardinality prediction prediction_bounds prediction_cost prediction_details prediction_probability
prediction_set presentnnv presentv previous rawtohex rawtonhex ref reftohex remainder rowidtochar rowidtonchar
scn_to_timestamp sessiontimezone set soundex standard_hash stats_binomial_test stats_crosstab
stats_f_test stats_ks_test stats_mode stats_mw_test stats_one_way_anova stats_t_test_indep stats_t_test_one
stats_wsr_test substrb substrc substr2 substr4 instrb instrc instr2 instr4 lengthb lengthc length2 length4
sys_connect_by_path sys_context sys_dburigen sys_extract_utc sys_guid sys_op_zone_id sys_typeid sys_xmlagg sys_xmlgen
table tz_offset timestamp_to_scn to_approx_count_distinct to_approx_percentile to_binary_double to_binary_float to_blob
to_clob to_dsinterval to_lob to_multi_byte to_nchar to_nclob to_single_byte to_yminterval treat uid unistr updatexml
userenv validate_conversion value vsize vector vector_distance xmlcast xmlcdata xmlcolattval
xmldiff xmlisvalid xmlpatch xmlsequence xmltransform shard_chunk_id multiset
dbms_lob.getlength dbms_lob.substr dbms_lob.instr dbms_random.value dbms_random.string dbms_utility.get_time
dbms_metadata.get_ddl dbms_xplan.display dbms_xplan.display_cursor utl_raw.cast_to_varchar2 utl_raw.cast_to_raw
dbms_crypto.hash
column_value
";

const CLICKHOUSE: &str = "
anylast anyheavy argmin argmax arraymap arrayfilter arrayjoin arraysum arraycount arrayexists arrayall arrayfirst
arraydistinct arraysort arrayconcat arraypushback arraystringconcat arrayelement arrayenumerate arrayuniq avgif countif
sumif minif maxif uniq uniqexact uniqcombined uniqhll12 quantile quantiles quantileexact quantiletdigest quantiletiming
topk grouparray groupuniqarray groupbitmap summap tostring toint8 toint16 toint32 toint64 touint8 touint16 touint32
touint64 tofloat32 tofloat64 todate todate32 todatetime todatetime64 todecimal32 todecimal64 tofixedstring touuid
tointervalday tointervalhour tostartofday tostartofhour tostartofminute tostartofmonth tostartofquarter tostartofweek
tostartofyear tostartofinterval tostartoffiveminutes tomonday toyear tomonth todayofmonth todayofweek tohour tominute
tosecond tounixtimestamp toyyyymm toyyyymmdd datediff formatdatetime parsedatetimebesteffort today yesterday empty
notempty lowerutf8 upperutf8 position multisearchany match like notlike extractall splitbychar splitbystring substringutf8
jsonextract jsonextractstring jsonextractint jsonextractfloat jsonextractraw jsonextractbool jsonhas visitparamextractstring
cityhash64 siphash64 xxhash64 murmurhash2_64 halfmd5 multiif tolowcardinality assumenotnull tonullable isnotnull bar
dictget dictgetordefault dicthas numbers zeros tuple tupleelement runningdifference neighbor cosinedistance l2distance
formatreadablesize formatreadablequantity ipv4numtostring ipv4stringtonum domain cutquerystring path geodistance
";

/// The names that look like calls because a parenthesis follows, but are grammar.
const GRAMMAR: &str = "
all and any array as asc at before between bernoulli block by case changes columns cube default define desc describe
distinct else end except exclude exists explain extract fetch filter following for format from full group grouping
having ignore in inner intersect interval is join keep key lateral left like limit match_recognize
materialized measures minus natural not nulls of offset on only option options or order ordinality outer over overlaps
partition partitioned pattern pivot preceding qualify range recursive references rename repeatable respect returning
right rollup row rows sample seed select semi sets similar some system table tablesample then to top uescape unbounded
union unique unpivot using value values when where window with within without xmlnamespaces percent reservoir
bigint binary bit blob boolean bpchar bytea char character clob date datetime datetime2 datetimeoffset dec decimal double
enum fixed float float4 float8 int int2 int4 int8 integer json jsonb list long map mediumint national nchar nclob
number numeric nvarchar nvarchar2 precision raw real set signed smallint string struct text time timestamp timestamptz
tinyint unsigned uuid varbinary varbyte varchar varchar2 variant varying vector xml year
";

static SETS: LazyLock<[HashSet<&'static str>; 12]> = LazyLock::new(|| {
    [
        set(&[COMMON]),
        set(&[POSTGRES]),
        set(&[POSTGRES, REDSHIFT]),
        set(&[MYSQL]),
        set(&[SQLITE]),
        set(&[TSQL]),
        set(&[SNOWFLAKE]),
        set(&[BIGQUERY]),
        set(&[POSTGRES, DUCKDB]),
        set(&[ORACLE]),
        set(&[CLICKHOUSE]),
        set(&[GRAMMAR]),
    ]
});

fn set(lists: &[&'static str]) -> HashSet<&'static str> {
    lists.iter().flat_map(|list| list.split_ascii_whitespace()).collect()
}

/// Whether a function of that name (lower case, parts joined by `.`) is a built-in that only reads.
pub fn is_pure(family: Family, name: &str) -> bool {
    let own = match family {
        Family::Ansi => 0,
        Family::Postgres => 1,
        Family::Redshift => 2,
        Family::MySql => 3,
        Family::Sqlite => 4,
        Family::TSql => 5,
        Family::Snowflake => 6,
        Family::BigQuery => 7,
        Family::DuckDb => 8,
        Family::Oracle => 9,
        Family::ClickHouse => 10,
    };
    let [common, ..] = &*SETS;
    SETS.get(own).is_some_and(|set| set.contains(name)) || common.contains(name)
}

/// Whether a parenthesis may follow the word (lower case) without its being a call.
pub fn is_grammar(word: &str) -> bool {
    let [.., grammar] = &*SETS;
    grammar.contains(word)
}
