//! Keys of the cloud stores.

super::config_keys! {
    /// Settings of S3 stores. Spellings may carry the prefix `aws_`.
    S3Key, "S3", prefixes ["aws_"];
    AccessKeyId = "access_key_id" []: "the access key";
    SecretAccessKey = "secret_access_key" [] secret: "the secret key";
    Token = "session_token" ["token"] secret: "the token of temporary credentials";
    Bucket = "bucket" ["bucket_name"]: "the bucket";
    Region = "region" []: "the region; detected from the bucket when it is not set and the endpoint is Amazon's";
    DefaultRegion = "default_region" []: "the region when `region` is not set";
    Endpoint = "endpoint" ["endpoint_url"]: "the URL of an S3-compatible service";
    S3Endpoint = "endpoint_url_s3" []: "like `endpoint`, and stronger";
    VirtualHostedStyleRequest = "virtual_hosted_style_request" []: "name the bucket in the host, not in the path (default false)";
    S3Express = "s3_express" []: "the bucket is a directory bucket (default false)";
    SkipSignature = "skip_signature" ["no_sign_request"]: "send unsigned requests (default false)";
    UnsignedPayload = "unsigned_payload" []: "leave the body out of the signature (default false)";
    Checksum = "checksum_algorithm" []: "checksum sent with uploads: `SHA256` or `CRC64NVME`";
    ConditionalPut = "conditional_put" []: "how to create or update conditionally: `etag` (default) or `disabled`";
    CopyIfNotExists = "copy_if_not_exists" []: "how to copy without replacing: `multipart`, `header:NAME:VALUE`, `header-with-status:NAME:VALUE:STATUS`";
    DisableTagging = "disable_tagging" []: "send no tags, for services without them (default false)";
    DisableBulkDelete = "disable_bulk_delete" []: "delete one by one, for services without DeleteObjects (default false)";
    RequestPayer = "request_payer" ["requester_pays"]: "accept to pay for requests (default false)";
    Profile = "profile" []: "the profile of `~/.aws/config` and `~/.aws/credentials`";
    ConfigFile = "config_file" []: "the file with profiles in place of `~/.aws/config`";
    SharedCredentialsFile = "shared_credentials_file" []: "the file with keys in place of `~/.aws/credentials`";
    ImdsV1Fallback = "imdsv1_fallback" []: "use version 1 of the metadata service when 2 fails (default false)";
    MetadataEndpoint = "metadata_endpoint" []: "the URL of the metadata service";
    ContainerCredentialsRelativeUri = "container_credentials_relative_uri" []: "where ECS tasks get credentials";
    ContainerCredentialsFullUri = "container_credentials_full_uri" []: "where EKS pods get credentials";
    ContainerAuthorizationTokenFile = "container_authorization_token_file" []: "the file with the token for `container_credentials_full_uri`";
    WebIdentityTokenFile = "web_identity_token_file" []: "the file with a web identity token";
    RoleArn = "role_arn" []: "the role to assume with the web identity token";
    RoleSessionName = "role_session_name" []: "the name of the role's session";
    StsEndpoint = "endpoint_url_sts" ["sts_endpoint"]: "the URL of the token service";
    ServerSideEncryption = "server_side_encryption" []: "`AES256`, `aws:kms`, `aws:kms:dsse` or `sse-c`";
    KmsKeyId = "sse_kms_key_id" []: "the key for `aws:kms`";
    BucketKeyEnabled = "sse_bucket_key_enabled" []: "use the bucket key for `aws:kms` (default false)";
    CustomerEncryptionKey = "sse_customer_key_base64" [] secret: "the key for `sse-c`, base64";
}

super::config_keys! {
    /// Settings of Google Cloud Storage. Spellings may carry the prefix `google_`.
    GcsKey, "GCS", prefixes ["google_"];
    ServiceAccount = "service_account" ["service_account_path"]: "the file with a service account key";
    ServiceAccountKey = "service_account_key" [] secret: "a service account key as JSON";
    ApplicationCredentials = "application_credentials" []: "the file with application default credentials";
    BearerToken = "bearer_token" ["token"] secret: "a token sent as it is";
    Bucket = "bucket" ["bucket_name"]: "the bucket";
    BaseUrl = "base_url" ["endpoint", "endpoint_url"]: "the URL of the service";
    SkipSignature = "skip_signature" ["no_sign_request"]: "send unsigned requests (default false)";
}

super::config_keys! {
    /// Settings of Azure Blob Storage. Spellings may carry the prefix `azure_storage_` or `azure_`.
    AzureKey, "Azure", prefixes ["azure_storage_", "azure_"];
    AccountName = "account_name" []: "the storage account";
    AccessKey = "account_key" ["access_key", "master_key"] secret: "the key of the account";
    ContainerName = "container_name" ["container"]: "the container";
    ClientId = "client_id" []: "the client for client secret or workload identity";
    ClientSecret = "client_secret" [] secret: "the secret of the client";
    AuthorityId = "tenant_id" ["authority_id"]: "the tenant";
    AuthorityHost = "authority_host" []: "the URL of the token service";
    SasKey = "sas_key" ["sas_token"] secret: "a shared access signature";
    Token = "token" ["bearer_token"] secret: "a token sent as it is";
    CredentialType = "credential_type" []: "`auto`, `bearer_token`, `access_key`, `client_secret`, `workload_identity`, `sas_token`, `azure_cli` or `managed_identity`";
    UseEmulator = "use_emulator" []: "talk to a local emulator (default false)";
    UseFabricEndpoint = "use_fabric_endpoint" []: "talk to Fabric's endpoint (default false)";
    Endpoint = "endpoint" []: "the URL of the service";
    MsiEndpoint = "msi_endpoint" ["identity_endpoint"]: "the URL of the managed identity service";
    ObjectId = "object_id" []: "the object for managed identity";
    MsiResourceId = "msi_resource_id" []: "the resource for managed identity";
    FederatedTokenFile = "federated_token_file" []: "the file with a workload identity token";
    UseAzureCli = "use_azure_cli" []: "ask the `az` command for tokens (default false)";
    SkipSignature = "skip_signature" []: "send unsigned requests (default false)";
    DisableTagging = "disable_tagging" []: "send no tags (default false)";
    EncryptionKey = "encryption_key" [] secret: "a customer-provided encryption key, base64";
    FabricTokenServiceUrl = "fabric_token_service_url" []: "the URL of Fabric's token service";
    FabricWorkloadHost = "fabric_workload_host" []: "the host of the Fabric workload";
    FabricSessionToken = "fabric_session_token" [] secret: "the token of the Fabric session";
    FabricClusterIdentifier = "fabric_cluster_identifier" []: "the Fabric cluster";
}
