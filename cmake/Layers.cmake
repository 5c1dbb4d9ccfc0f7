# lb_precompile(NAME [FLAGS FLAG...] [LINKS LIBRARY...] [HEADERS HEADER...]): with LB_PRECOMPILE, what
# most files include, and HEADERS, are parsed once for all targets that say lb_precompiled(TARGET NAME).
# FLAGS are those that these targets are compiled with besides the project's own. The file that forgot
# an #include is found by scripts/lint, which parses each without them.
function(lb_precompile name)
  cmake_parse_arguments(ARG "" "" "FLAGS;LINKS;HEADERS" ${ARGN})
  if(LB_PRECOMPILE)
    add_library(${name} OBJECT ${PROJECT_SOURCE_DIR}/cmake/empty.cc)
    target_compile_options(${name} PRIVATE ${ARG_FLAGS})
    target_link_libraries(${name} PRIVATE ${ARG_LINKS})
    target_precompile_headers(${name} PRIVATE <algorithm> <chrono> <functional> <map> <memory>
                              <optional> <string> <utility> <vector> <fmt/format.h> ${ARG_HEADERS})
  endif()
endfunction()

function(lb_precompiled target name)
  if(LB_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()

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
  lb_precompiled(lb_${name} lb_headers)
endfunction()
