# lb_layer(NAME LINKS ... PUBLIC_THIRD ... PRIVATE_LINKS ...): the static library lb_NAME of all
# sources in src/NAME. LINKS are the layers it may include, PUBLIC_THIRD libraries whose headers its
# own headers show, PRIVATE_LINKS libraries that stay inside it. src/ is the include root.
function(lb_layer name)
  cmake_parse_arguments(ARG "" "" "LINKS;PUBLIC_THIRD;PRIVATE_LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  if(NOT sources)
    set(sources ${PROJECT_SOURCE_DIR}/cmake/empty.cc)
  endif()
  add_library(lb_${name} STATIC ${sources})
  set_target_properties(lb_${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(lb_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(lb_${name} PUBLIC ${ARG_LINKS} ${ARG_PUBLIC_THIRD}
                        PRIVATE ${ARG_PRIVATE_LINKS})
endfunction()
