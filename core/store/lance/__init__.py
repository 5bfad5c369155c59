"""Collections in LanceDB: tables, schema, snapshots."""
