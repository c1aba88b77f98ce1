package bolt

// VersionValue is what the file says of its schema's version.
var VersionValue = versionValue
