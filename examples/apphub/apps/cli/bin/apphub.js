#!/usr/bin/env node
// Committed, unlike dist: npm links a command when it installs, before anything is built.
import '../dist/cli.js';
