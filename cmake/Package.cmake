# What an installation has, and the Debian package of it: scripts/package, or cpack in a build
# directory. Paths are from the root of the file system: /etc belongs to no prefix.
install(TARGETS lb DESTINATION usr/bin)
install(FILES systemd/lb.service DESTINATION usr/lib/systemd/system)
install(FILES etc/lb.yaml DESTINATION etc/lb)
install(FILES LICENSE DESTINATION usr/share/doc/lb RENAME copyright)
install(FILES README.md DESTINATION usr/share/doc/lb)
install(DIRECTORY docs DESTINATION usr/share/doc/lb)
set(CPACK_PACKAGING_INSTALL_PREFIX /)
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME lb)
set(CPACK_PACKAGE_CONTACT "the lb authors <lb@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "load balancer for TCP, UDP and HTTP")
set(CPACK_PACKAGE_DESCRIPTION
    "Passes connections, datagrams and requests on to the servers of a pool, and around those that
are down. One YAML file configures it; health checks, TLS, routes, stickiness and changes
without a lost connection are built in.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/packages/debian/conffiles ${PROJECT_SOURCE_DIR}/packages/debian/postinst
    ${PROJECT_SOURCE_DIR}/packages/debian/prerm ${PROJECT_SOURCE_DIR}/packages/debian/postrm)
include(CPack)
