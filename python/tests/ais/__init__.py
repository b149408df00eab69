"""Tests of `holdall.aistore`."""
