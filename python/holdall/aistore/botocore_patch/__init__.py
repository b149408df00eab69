"""Redirects of AIStore for boto3: ``from holdall.aistore.botocore_patch import botocore``."""
