BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE cache_references (
	experiment_number INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	CONSTRAINT pk_cache_references PRIMARY KEY (experiment_number, path), 
	CONSTRAINT fk_cache_references_experiment_number_experiments FOREIGN KEY(experiment_number) REFERENCES experiments (number) ON DELETE CASCADE
);
INSERT INTO "cache_references" VALUES(1,'gs://shop-test-towerlab/towerlab/cache/123456789012/qt-49444851cce2a124-a1/ExampleGen_1/');
INSERT INTO "cache_references" VALUES(1,'gs://shop-test-towerlab/towerlab/cache/123456789012/qt-49444851cce2a124-a1/SchemaGen_3/');
INSERT INTO "cache_references" VALUES(1,'gs://shop-test-towerlab/towerlab/cache/123456789012/qt-49444851cce2a124-a1/StatisticsGen_2/');
INSERT INTO "cache_references" VALUES(1,'gs://shop-test-towerlab/towerlab/cache/123456789012/qt-49444851cce2a124-a1/Transform_4/');
INSERT INTO "cache_references" VALUES(1,'gs://shop-test-towerlab/towerlab/cache/123456789012/qt-49444851cce2a124-a1/Trainer_5/');
INSERT INTO "cache_references" VALUES(2,'gs://shop-test-towerlab/towerlab/cache/123456789012/qt-0c1673a0e486a8a2-a1/ExampleGen_1/');
INSERT INTO "cache_references" VALUES(2,'gs://shop-test-towerlab/towerlab/cache/123456789012/qt-0c1673a0e486a8a2-a1/SchemaGen_3/');
INSERT INTO "cache_references" VALUES(2,'gs://shop-test-towerlab/towerlab/cache/123456789012/qt-0c1673a0e486a8a2-a1/StatisticsGen_2/');
CREATE TABLE components (
	experiment_number INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	status TEXT NOT NULL, 
	cached BOOLEAN NOT NULL, 
	started_at DATETIME, 
	ended_at DATETIME, 
	CONSTRAINT pk_components PRIMARY KEY (experiment_number, position), 
	CONSTRAINT fk_components_experiment_number_experiments FOREIGN KEY(experiment_number) REFERENCES experiments (number) ON DELETE CASCADE
);
INSERT INTO "components" VALUES(1,0,'Examples','completed',0,'2026-11-26 17:15:09.664131','2026-11-26 17:15:09.699637');
INSERT INTO "components" VALUES(1,1,'Stats','completed',0,'2026-11-26 17:15:09.699828','2026-11-26 17:15:09.702897');
INSERT INTO "components" VALUES(1,2,'Schema','completed',0,'2026-11-26 17:15:09.703086','2026-11-26 17:15:09.707973');
INSERT INTO "components" VALUES(1,3,'Transform','completed',0,'2026-11-26 17:15:09.708189','2026-11-26 17:15:09.724274');
INSERT INTO "components" VALUES(1,4,'Train','completed',0,'2026-11-26 17:15:09.724463','2026-11-26 17:15:09.771314');
INSERT INTO "components" VALUES(2,0,'Examples','completed',0,'2026-11-26 17:15:09.933842','2026-11-26 17:15:09.955253');
INSERT INTO "components" VALUES(2,1,'Stats','completed',0,'2026-11-26 17:15:09.955416','2026-11-26 17:15:09.966653');
INSERT INTO "components" VALUES(2,2,'Schema','completed',0,'2026-11-26 17:15:09.966853','2026-11-26 17:15:09.979692');
INSERT INTO "components" VALUES(2,3,'Transform','failed',0,'2026-11-26 17:15:09.979871','2026-11-26 17:15:09.980198');
INSERT INTO "components" VALUES(2,4,'Train','pending',0,NULL,NULL);
INSERT INTO "components" VALUES(3,0,'Examples','running',0,'2026-11-26 17:15:10.105245',NULL);
INSERT INTO "components" VALUES(3,1,'Stats','pending',0,NULL,NULL);
INSERT INTO "components" VALUES(3,2,'Schema','pending',0,NULL,NULL);
INSERT INTO "components" VALUES(3,3,'Transform','pending',0,NULL,NULL);
INSERT INTO "components" VALUES(3,4,'Train','pending',0,NULL,NULL);
CREATE TABLE documents (
	experiment_number INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	content TEXT NOT NULL, 
	CONSTRAINT pk_documents PRIMARY KEY (experiment_number, kind), 
	CONSTRAINT fk_documents_experiment_number_experiments FOREIGN KEY(experiment_number) REFERENCES experiments (number) ON DELETE CASCADE
);
INSERT INTO "documents" VALUES(1,'spec','{"schema_version":1,"uid":"49444851cce2a124","attempt":1,"number":1,"dataset":"ratings","examples":{"dialect":"bigquery","sql":"SELECT 1","columns":[{"name":"row_key","type":"INT64","repeated":false},{"name":"user","type":"STRING","repeated":false},{"name":"item","type":"STRING","repeated":false}],"buyer":"user","product":"item","timestamp":null,"fingerprint":"f00d","files":[],"rows_uri":null},"features":{"name":"basic","description":"","dataset":"ratings","buyer":[{"column":"user","data_type":"text","transforms":["embed"],"dim":16,"buckets":null,"max_length":null,"vocabulary":null,"primary":true}],"product":[{"column":"item","data_type":"text","transforms":["embed"],"dim":32,"buckets":null,"max_length":null,"vocabulary":null,"primary":true},{"column":"price","data_type":"numeric","transforms":["normalize"],"dim":null,"buckets":null,"max_length":null,"vocabulary":null,"primary":false}],"buyer_crosses":[],"product_crosses":[],"target":null},"model":{"name":"retrieval-small","description":"{\"seconds\":0.0,\"fails_in\":null,\"signal\":null,\"stubborn\":false,\"leaves_child\":false,\"fills_disk\":false}","type":"retrieval","combine":"mlp","buyer_tower":{"layers":[{"kind":"dense","units":64,"activation":"relu","l1":0.0,"l2":0.0}]},"product_tower":{"layers":[{"kind":"dense","units":128,"activation":"relu","l1":0.0,"l2":0.0},{"kind":"dense","units":64,"activation":"relu","l1":0.0,"l2":0.0}]},"output_dim":32,"retrieval":{"normalize":true,"temperature":0.15,"softmax_group":null,"logq_correction":false,"remove_accidental_hits":false,"hard_negatives":null,"label_smoothing":0.0,"popularity_prior":true,"popularity_weight":1.0,"own_history":false,"own_history_weight":5.0,"top_k":100,"index":"scann","num_leaves":null,"leaves_to_search":null},"rating":null,"retrieval_weight":1.0,"ranking_weight":1.0,"optimizer":"adam","row_wise":false,"learning_rate":0.01,"batch_size":null},"params":{"sample_percent":10.0,"sample_by":"buyer","split":{"kind":"random","holdout_days":null,"train_days":null,"val_days":null,"test_days":null},"split_seed":0,"epochs":3,"batch_size":256,"learning_rate":0.01,"seed":0,"early_stopping":null,"deterministic":false,"machine_type":null},"backend":"vertex"}');
INSERT INTO "documents" VALUES(1,'request','{"feature_config":"basic","model_config_name":"retrieval-small","dataset":null,"name":"","description":"","tags":[],"sample_percent":null,"sample_by":null,"epochs":3,"batch_size":null,"learning_rate":null,"split":"random","holdout_days":null,"train_days":null,"val_days":null,"test_days":null,"hardware":null,"backend":"vertex","seed":0,"early_stopping":null,"early_stopping_on":"val_loss","deterministic":false,"upload_rows":false}');
INSERT INTO "documents" VALUES(1,'definitions','{"dataset": {"primary": "ratings"}, "feature_config": {"dataset": "ratings"}, "model_config": {"type": "retrieval"}}');
INSERT INTO "documents" VALUES(1,'history','{"cached_at":"2026-11-26T17:15:09.805098Z","epochs":[0,1,2],"loss":{"train":[1.0,0.5,0.3333333333333333],"val":[1.0,0.5,0.3333333333333333],"total":[1.0,0.5,0.3333333333333333]},"gradient_norms":{"total":[1.0,1.0,1.0],"query":[1.0,1.0,1.0],"candidate":[1.0,1.0,1.0]},"examples_per_second":[1000.0,1000.0,1000.0],"epoch_metrics":{},"weight_stats":{"query":{"l1":[1.0,1.0,1.0],"l2":[1.0,1.0,1.0]},"candidate":{"l1":[1.0,1.0,1.0],"l2":[1.0,1.0,1.0]}},"gradient_stats":{},"vocabularies":{},"final_metrics":{"loss":0.3333333333333333,"recall_at_5":0.025,"recall_at_10":0.05,"recall_at_50":0.25,"recall_at_100":0.5,"test_recall_at_5":0.025,"test_recall_at_10":0.05,"test_recall_at_50":0.25,"test_recall_at_100":0.5},"params":{"epochs":3,"batch_size":8}}');
INSERT INTO "documents" VALUES(1,'metrics','{"model_type":"retrieval","epochs":[0,1,2],"loss":{"train":[1.0,0.5,0.3333333333333333],"val":[1.0,0.5,0.3333333333333333],"total":[1.0,0.5,0.3333333333333333]},"gradient":{"total":[1.0,1.0,1.0],"query":[1.0,1.0,1.0],"candidate":[1.0,1.0,1.0]},"weight_stats":{"query":{"l1":[1.0,1.0,1.0],"l2":[1.0,1.0,1.0]},"candidate":{"l1":[1.0,1.0,1.0],"l2":[1.0,1.0,1.0]}},"gradient_stats":{},"epoch_metrics":{},"stopped_early":false,"best_epoch":null,"popularity_prior":false,"chance_loss":null,"final_metrics":{"loss":0.3333333333333333,"recall_at_5":0.025,"recall_at_10":0.05,"recall_at_50":0.25,"recall_at_100":0.5,"test_recall_at_5":0.025,"test_recall_at_10":0.05,"test_recall_at_50":0.25,"test_recall_at_100":0.5},"params":{"epochs":3,"batch_size":8},"baseline":{"name":"popularity","metrics":{"recall_at_100":0.4},"difference":{"metric":"recall_at_100","value":0.1,"low":0.05,"high":0.15,"level":0.95}},"references":[],"new_products":null,"interval":{"metric":"recall_at_100","value":0.5,"low":0.45,"high":0.55,"level":0.95},"rows":{"train":8000,"eval":1500,"test":500},"candidates":10,"unknown_product_share":0.0,"unknown_buyer_share":0.0,"seen_in_train_share":0.2,"rows_without_target":0,"vocabulary_sizes":{"buyer":4,"product":10},"vocabularies":{},"index":null,"available":true,"saved_at":"2026-11-26T17:15:09.757312Z"}');
INSERT INTO "documents" VALUES(2,'spec','{"schema_version":1,"uid":"0c1673a0e486a8a2","attempt":1,"number":2,"dataset":"ratings","examples":{"dialect":"bigquery","sql":"SELECT 1","columns":[{"name":"row_key","type":"INT64","repeated":false},{"name":"user","type":"STRING","repeated":false},{"name":"item","type":"STRING","repeated":false}],"buyer":"user","product":"item","timestamp":null,"fingerprint":"f00d","files":[],"rows_uri":null},"features":{"name":"basic","description":"","dataset":"ratings","buyer":[{"column":"user","data_type":"text","transforms":["embed"],"dim":16,"buckets":null,"max_length":null,"vocabulary":null,"primary":true}],"product":[{"column":"item","data_type":"text","transforms":["embed"],"dim":32,"buckets":null,"max_length":null,"vocabulary":null,"primary":true},{"column":"price","data_type":"numeric","transforms":["normalize"],"dim":null,"buckets":null,"max_length":null,"vocabulary":null,"primary":false}],"buyer_crosses":[],"product_crosses":[],"target":null},"model":{"name":"retrieval-small","description":"{\"seconds\":0.0,\"fails_in\":\"Transform\",\"signal\":null,\"stubborn\":false,\"leaves_child\":false,\"fills_disk\":false}","type":"retrieval","combine":"mlp","buyer_tower":{"layers":[{"kind":"dense","units":64,"activation":"relu","l1":0.0,"l2":0.0}]},"product_tower":{"layers":[{"kind":"dense","units":128,"activation":"relu","l1":0.0,"l2":0.0},{"kind":"dense","units":64,"activation":"relu","l1":0.0,"l2":0.0}]},"output_dim":32,"retrieval":{"normalize":true,"temperature":0.15,"softmax_group":null,"logq_correction":false,"remove_accidental_hits":false,"hard_negatives":null,"label_smoothing":0.0,"popularity_prior":true,"popularity_weight":1.0,"own_history":false,"own_history_weight":5.0,"top_k":100,"index":"scann","num_leaves":null,"leaves_to_search":null},"rating":null,"retrieval_weight":1.0,"ranking_weight":1.0,"optimizer":"adam","row_wise":false,"learning_rate":0.01,"batch_size":null},"params":{"sample_percent":10.0,"sample_by":"buyer","split":{"kind":"random","holdout_days":null,"train_days":null,"val_days":null,"test_days":null},"split_seed":0,"epochs":3,"batch_size":256,"learning_rate":0.01,"seed":0,"early_stopping":null,"deterministic":false,"machine_type":null},"backend":"vertex"}');
INSERT INTO "documents" VALUES(2,'request','{"feature_config":"basic","model_config_name":"retrieval-small","dataset":null,"name":"","description":"","tags":[],"sample_percent":null,"sample_by":null,"epochs":3,"batch_size":null,"learning_rate":null,"split":"random","holdout_days":null,"train_days":null,"val_days":null,"test_days":null,"hardware":null,"backend":"vertex","seed":0,"early_stopping":null,"early_stopping_on":"val_loss","deterministic":false,"upload_rows":false}');
INSERT INTO "documents" VALUES(2,'definitions','{"dataset": {"primary": "ratings"}, "feature_config": {"dataset": "ratings"}, "model_config": {"type": "retrieval"}}');
INSERT INTO "documents" VALUES(3,'spec','{"schema_version":1,"uid":"6b6f1076e78c940f","attempt":1,"number":3,"dataset":"ratings","examples":{"dialect":"bigquery","sql":"SELECT 1","columns":[{"name":"row_key","type":"INT64","repeated":false},{"name":"user","type":"STRING","repeated":false},{"name":"item","type":"STRING","repeated":false}],"buyer":"user","product":"item","timestamp":null,"fingerprint":"f00d","files":[],"rows_uri":null},"features":{"name":"basic","description":"","dataset":"ratings","buyer":[{"column":"user","data_type":"text","transforms":["embed"],"dim":16,"buckets":null,"max_length":null,"vocabulary":null,"primary":true}],"product":[{"column":"item","data_type":"text","transforms":["embed"],"dim":32,"buckets":null,"max_length":null,"vocabulary":null,"primary":true},{"column":"price","data_type":"numeric","transforms":["normalize"],"dim":null,"buckets":null,"max_length":null,"vocabulary":null,"primary":false}],"buyer_crosses":[],"product_crosses":[],"target":null},"model":{"name":"retrieval-small","description":"{\"seconds\":600.0,\"fails_in\":null,\"signal\":null,\"stubborn\":false,\"leaves_child\":false,\"fills_disk\":false}","type":"retrieval","combine":"mlp","buyer_tower":{"layers":[{"kind":"dense","units":64,"activation":"relu","l1":0.0,"l2":0.0}]},"product_tower":{"layers":[{"kind":"dense","units":128,"activation":"relu","l1":0.0,"l2":0.0},{"kind":"dense","units":64,"activation":"relu","l1":0.0,"l2":0.0}]},"output_dim":32,"retrieval":{"normalize":true,"temperature":0.15,"softmax_group":null,"logq_correction":false,"remove_accidental_hits":false,"hard_negatives":null,"label_smoothing":0.0,"popularity_prior":true,"popularity_weight":1.0,"own_history":false,"own_history_weight":5.0,"top_k":100,"index":"scann","num_leaves":null,"leaves_to_search":null},"rating":null,"retrieval_weight":1.0,"ranking_weight":1.0,"optimizer":"adam","row_wise":false,"learning_rate":0.01,"batch_size":null},"params":{"sample_percent":10.0,"sample_by":"buyer","split":{"kind":"random","holdout_days":null,"train_days":null,"val_days":null,"test_days":null},"split_seed":0,"epochs":3,"batch_size":256,"learning_rate":0.01,"seed":0,"early_stopping":null,"deterministic":false,"machine_type":null},"backend":"vertex"}');
INSERT INTO "documents" VALUES(3,'request','{"feature_config":"basic","model_config_name":"retrieval-small","dataset":null,"name":"","description":"","tags":[],"sample_percent":null,"sample_by":null,"epochs":3,"batch_size":null,"learning_rate":null,"split":"random","holdout_days":null,"train_days":null,"val_days":null,"test_days":null,"hardware":null,"backend":"vertex","seed":0,"early_stopping":null,"early_stopping_on":"val_loss","deterministic":false,"upload_rows":false}');
INSERT INTO "documents" VALUES(3,'definitions','{"dataset": {"primary": "ratings"}, "feature_config": {"dataset": "ratings"}, "model_config": {"type": "retrieval"}}');
CREATE TABLE experiments (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	uid TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	parent_number INTEGER, 
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	tags JSON NOT NULL, 
	search_text TEXT NOT NULL, 
	status TEXT NOT NULL, 
	stage TEXT, 
	progress FLOAT, 
	cancel_requested_at DATETIME, 
	delete_requested_at DATETIME, 
	error_component TEXT, 
	error_message TEXT, 
	error_hint TEXT, 
	backend TEXT NOT NULL, 
	model_type TEXT NOT NULL, 
	primary_metric TEXT DEFAULT 'recall_at_100' NOT NULL, 
	dataset TEXT NOT NULL, 
	feature_config TEXT NOT NULL, 
	model_config TEXT NOT NULL, 
	dataset_hash TEXT NOT NULL, 
	feature_config_hash TEXT NOT NULL, 
	model_config_hash TEXT NOT NULL, 
	data_fingerprint TEXT NOT NULL, 
	sample_percent FLOAT NOT NULL, 
	sample_by TEXT NOT NULL, 
	split TEXT NOT NULL, 
	holdout_days INTEGER, 
	train_days INTEGER, 
	val_days INTEGER, 
	test_days INTEGER, 
	split_seed INTEGER NOT NULL, 
	epochs INTEGER NOT NULL, 
	epochs_trained INTEGER, 
	batch_size INTEGER NOT NULL, 
	learning_rate FLOAT NOT NULL, 
	optimizer TEXT NOT NULL, 
	seed INTEGER NOT NULL, 
	early_stopping_patience INTEGER, 
	early_stopping_monitor TEXT, 
	deterministic BOOLEAN DEFAULT 0 NOT NULL, 
	hardware TEXT, 
	machine_type TEXT, 
	buyer_tower_structure TEXT NOT NULL, 
	product_tower_structure TEXT NOT NULL, 
	buyer_tensor_dim INTEGER NOT NULL, 
	product_tensor_dim INTEGER NOT NULL, 
	buyer_features JSON NOT NULL, 
	product_features JSON NOT NULL, 
	rows_train INTEGER, 
	rows_eval INTEGER, 
	rows_test INTEGER, 
	loss FLOAT, 
	recall_at_5 FLOAT, 
	recall_at_10 FLOAT, 
	recall_at_50 FLOAT, 
	recall_at_100 FLOAT, 
	new_recall_at_100 FLOAT, 
	ndcg_at_10 FLOAT, 
	catalogue_coverage FLOAT, 
	rmse FLOAT, 
	mae FLOAT, 
	test_rmse FLOAT, 
	test_mae FLOAT, 
	auc_roc FLOAT, 
	difference FLOAT, 
	difference_low FLOAT, 
	difference_high FLOAT, 
	cloud_build_id TEXT, 
	vertex_pipeline_job_name TEXT, 
	artifacts_uri TEXT, 
	created_at DATETIME NOT NULL, 
	started_at DATETIME, 
	ended_at DATETIME, 
	CONSTRAINT uq_experiments_uid UNIQUE (uid)
);
INSERT INTO "experiments" VALUES(1,'49444851cce2a124',11,NULL,'basic · retrieval-small','','[]','basic · retrieval-small

ratings
basic
retrieval-small','completed',NULL,1.0,NULL,NULL,NULL,NULL,NULL,'vertex','retrieval','recall_at_100','ratings','basic','retrieval-small','d1','f1','m1','f00d',10.0,'buyer','random',NULL,NULL,NULL,NULL,0,3,3,256,0.01,'adam',0,NULL,NULL,0,NULL,NULL,'64→32','128→64→32',16,33,'[{"column": "user", "data_type": "text", "transforms": ["embed"], "tensor_dim": 16, "dim": 16, "buckets": null, "max_length": null, "vocabulary": null, "primary": true}]','[{"column": "item", "data_type": "text", "transforms": ["embed"], "tensor_dim": 32, "dim": 32, "buckets": null, "max_length": null, "vocabulary": null, "primary": true}, {"column": "price", "data_type": "numeric", "transforms": ["normalize"], "tensor_dim": 1, "dim": null, "buckets": null, "max_length": null, "vocabulary": null, "primary": false}]',8000,1500,500,3.33333333333333314829e-01,0.025,0.05,0.25,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.1,0.05,0.15,'ec1a24b5-4181-483a-8c24-1a129fb5c251','projects/123456789012/locations/europe-central2/pipelineJobs/qt-49444851cce2a124-a1','gs://shop-test-towerlab/towerlab/runs/49444851cce2a124','2026-11-26 17:15:09.376467','2026-11-26 17:15:09.664044','2026-11-26 17:15:09.771537');
INSERT INTO "experiments" VALUES(2,'0c1673a0e486a8a2',8,NULL,'basic · retrieval-small','','[]','basic · retrieval-small

ratings
basic
retrieval-small','failed','Stats',0.15,NULL,NULL,'Transform','ValueError: Transform was told to fail','The component''s log has more.','vertex','retrieval','recall_at_100','ratings','basic','retrieval-small','d1','f1','m1','f00d',10.0,'buyer','random',NULL,NULL,NULL,NULL,0,3,NULL,256,0.01,'adam',0,NULL,NULL,0,NULL,NULL,'64→32','128→64→32',16,33,'[{"column": "user", "data_type": "text", "transforms": ["embed"], "tensor_dim": 16, "dim": 16, "buckets": null, "max_length": null, "vocabulary": null, "primary": true}]','[{"column": "item", "data_type": "text", "transforms": ["embed"], "tensor_dim": 32, "dim": 32, "buckets": null, "max_length": null, "vocabulary": null, "primary": true}, {"column": "price", "data_type": "numeric", "transforms": ["normalize"], "tensor_dim": 1, "dim": null, "buckets": null, "max_length": null, "vocabulary": null, "primary": false}]',800,150,50,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'306b31e7-1f82-4133-860e-c46c99de9b85','projects/123456789012/locations/europe-central2/pipelineJobs/qt-0c1673a0e486a8a2-a1','gs://shop-test-towerlab/towerlab/runs/0c1673a0e486a8a2','2026-11-26 17:15:09.828296','2026-11-26 17:15:09.933741','2026-11-26 17:15:09.980346');
INSERT INTO "experiments" VALUES(3,'6b6f1076e78c940f',8,NULL,'basic · retrieval-small','','[]','basic · retrieval-small

ratings
basic
retrieval-small','lost','Examples',0.0,NULL,NULL,NULL,'Its pipeline job isn''t there any more: somebody has deleted it.','It is looked for again for ten minutes.','vertex','retrieval','recall_at_100','ratings','basic','retrieval-small','d1','f1','m1','f00d',10.0,'buyer','random',NULL,NULL,NULL,NULL,0,3,NULL,256,0.01,'adam',0,NULL,NULL,0,NULL,NULL,'64→32','128→64→32',16,33,'[{"column": "user", "data_type": "text", "transforms": ["embed"], "tensor_dim": 16, "dim": 16, "buckets": null, "max_length": null, "vocabulary": null, "primary": true}]','[{"column": "item", "data_type": "text", "transforms": ["embed"], "tensor_dim": 32, "dim": 32, "buckets": null, "max_length": null, "vocabulary": null, "primary": true}, {"column": "price", "data_type": "numeric", "transforms": ["normalize"], "tensor_dim": 1, "dim": null, "buckets": null, "max_length": null, "vocabulary": null, "primary": false}]',800,150,50,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2a91a164-9942-4056-a006-cafb25b12a2b','projects/123456789012/locations/europe-central2/pipelineJobs/qt-6b6f1076e78c940f-a1','gs://shop-test-towerlab/towerlab/runs/6b6f1076e78c940f','2026-11-26 17:15:10.004532','2026-11-26 17:15:10.105150',NULL);
CREATE TABLE fetches (
	experiment_number INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	requested_at DATETIME NOT NULL, 
	answered_at DATETIME, 
	error_message TEXT, 
	error_hint TEXT, 
	CONSTRAINT pk_fetches PRIMARY KEY (experiment_number, name), 
	CONSTRAINT fk_fetches_experiment_number_experiments FOREIGN KEY(experiment_number) REFERENCES experiments (number) ON DELETE CASCADE
);
INSERT INTO "fetches" VALUES(3,'watch','2026-11-26 17:15:10.154594',NULL,NULL,NULL);
INSERT INTO "fetches" VALUES(1,'logs:Train','2026-11-26 17:15:10.154594','2026-11-26 17:15:10.154594','','');
INSERT INTO "fetches" VALUES(2,'logs:Transform','2026-11-26 17:15:10.154594',NULL,NULL,NULL);
CREATE TABLE lease (
	id INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	host TEXT, 
	pid INTEGER, 
	boot_id TEXT, 
	start_ticks INTEGER, 
	renewed_at DATETIME, 
	expires_at DATETIME, 
	CONSTRAINT pk_lease PRIMARY KEY (id)
);
CREATE INDEX ix_experiments_feature_config_number ON experiments (feature_config, number);
CREATE INDEX ix_experiments_dataset_number ON experiments (dataset, number);
CREATE INDEX ix_experiments_model_type_number ON experiments (model_type, number);
CREATE INDEX ix_experiments_search_text ON experiments (search_text);
CREATE INDEX ix_experiments_model_config_number ON experiments (model_config, number);
CREATE INDEX ix_experiments_status_number ON experiments (status, number);
CREATE INDEX ix_cache_references_path ON cache_references (path);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('experiments',3);
COMMIT;
